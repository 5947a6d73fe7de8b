"""Which execution provider a session gets: built in, or from a plug-in library.

ONNX Runtime falls back to its CPU kernels in silence in three ways: for nodes a provider does not
take, for a provider that could not be made, and for options it does not know. None of them passes
here: a session without the provider asked for is an error.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Optional

import onnxruntime as ort

from profiler.wire.messages import Job
from profiler.wire.providers import OPENVINO, XNNPACK


class ProviderMissing(RuntimeError):
    """The provider asked for is not here, or offers no device here."""


def register(plugin: str) -> None:
    """Load a plug-in's library. The module is the vendor's; it says where its library lies."""
    try:
        module = import_module(plugin)
    except ImportError as error:
        raise ProviderMissing(f"{plugin} can't be imported: {error}") from None
    path = getattr(module, "get_library_path", None)
    if path is None:
        raise ProviderMissing(f"{plugin} is no plug-in provider: it has no get_library_path()")
    if not hasattr(ort, "register_execution_provider_library"):
        raise ProviderMissing(
            f"onnxruntime {ort.__version__} can't load plug-in providers; 1.23 or newer can"
        )
    ort.register_execution_provider_library(plugin, path())


def names(plugin: str) -> tuple[str, ...]:
    """Providers that a plug-in says it has."""
    module = import_module(plugin)
    if hasattr(module, "get_ep_names"):
        return tuple(module.get_ep_names())
    return (module.get_ep_name(),) if hasattr(module, "get_ep_name") else ()


def describe(device: Any) -> dict[str, str]:
    """An entry of get_ep_devices(). Its metadata is left out: it holds paths."""
    return {
        "provider": str(device.ep_name),
        "vendor": str(device.ep_vendor),
        "device": device.device.type.name,
        "device_vendor": str(device.device.vendor),
    }


def select(provider: str, kind: Optional[str]) -> list[Any]:
    """The devices a plug-in provider offers, of one kind (default: of the first one's)."""
    offered = [device for device in ort.get_ep_devices() if device.ep_name == provider]
    if not offered:
        hardware = sorted({str(d.device.vendor) for d in ort.get_ep_devices()}) or ["unknown"]
        raise ProviderMissing(
            f"{provider} offers no device on this machine (hardware here: {', '.join(hardware)})"
        )
    wanted = kind or offered[0].device.type.name
    chosen = [device for device in offered if device.device.type.name == wanted]
    if not chosen:
        have = ", ".join(sorted({device.device.type.name for device in offered}))
        raise ProviderMissing(f"{provider} offers no {wanted} here; it offers {have}")
    return chosen[:1]


def with_threads(provider: str, given: dict[str, str], threads: int) -> dict[str, str]:
    """Provider options that make `threads` hold for providers with thread pools of their own.

    OpenVINO: INFERENCE_NUM_THREADS in load_config (JSON by device); XNNPACK: its own option. What
    the target file says itself is left as it is.
    """
    options = dict(given)
    if provider == XNNPACK:
        options.setdefault("intra_op_num_threads", str(threads))
    if provider == OPENVINO and "num_of_threads" not in options:
        device = options.get("device_type", "CPU")
        if device == "CPU":
            config = json.loads(options.get("load_config", "{}"))
            config.setdefault(device, {}).setdefault("INFERENCE_NUM_THREADS", str(threads))
            options["load_config"] = json.dumps(config)
    return options


def open_session(model: Path, options: Any, job: Job) -> Any:
    """A session on the provider of `job` and nothing else above CPU. Raises ProviderMissing."""
    chosen = with_threads(job.provider, job.provider_options, job.threads)
    if job.plugin is not None:
        register(job.plugin)
        options.add_provider_for_devices(select(job.provider, job.device), chosen)
        session = ort.InferenceSession(os.fspath(model), options, enable_fallback=0)
    else:
        if job.provider not in ort.get_available_providers():
            raise ProviderMissing(
                f"{job.provider} is not in this onnxruntime; it has "
                + ", ".join(ort.get_available_providers())
            )
        # Without enable_fallback=0, wrong options give a session on the CPU and a line on stdout.
        session = ort.InferenceSession(
            os.fspath(model), options, providers=[(job.provider, chosen)], enable_fallback=0
        )
    if job.provider not in session.get_providers():
        raise ProviderMissing(
            f"{job.provider} could not be started with these options: the session has only "
            + ", ".join(session.get_providers())
        )
    return session


def offers(plugin: str) -> dict[str, Any]:
    """Facts: all providers with the plug-in loaded, the devices they offer, and what failed."""
    found: dict[str, Any] = {"plugin_providers": [], "plugin_error": None}
    try:
        register(plugin)
        found["plugin_providers"] = list(names(plugin))
    except Exception as error:  # a vendor's library may raise anything
        found["plugin_error"] = f"{type(error).__name__}: {error}"[:500]
    devices = ort.get_ep_devices() if hasattr(ort, "get_ep_devices") else []
    found["ep_devices"] = [describe(device) for device in devices]
    # The available ones hold a plug-in's provider only where it offers a device.
    found["providers"] = list(ort.get_available_providers())
    return found


def main(plugin: str) -> None:
    """Print what `plugin` offers as one line of JSON, the last one."""
    sys.stdout.write("\n" + json.dumps(offers(plugin)) + "\n")
