"""Provider set-up: plug-ins at the seam to onnxruntime, and no fallback in silence."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import onnxruntime as ort
import pytest

from profiler.wire.messages import Job
from profiler.worker.backends.ort_providers import (
    ProviderMissing,
    offers,
    open_session,
    register,
    select,
    with_threads,
)

OPENVINO = "OpenVINOExecutionProvider"


def device(provider: str, kind: str, vendor: str = "Intel") -> SimpleNamespace:
    hardware = SimpleNamespace(type=SimpleNamespace(name=kind), vendor=vendor)
    return SimpleNamespace(ep_name=provider, ep_vendor=vendor, device=hardware)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, str]]]:
    """plugin(*devices): a vendor's module; returns what gets registered."""

    def make(*devices: SimpleNamespace) -> list[tuple[str, str]]:
        module = ModuleType("fake_plugin")
        module.get_library_path = lambda: "/lib/fake.so"  # type: ignore[attr-defined]
        module.get_ep_names = lambda: [OPENVINO]  # type: ignore[attr-defined]
        registered: list[tuple[str, str]] = []
        monkeypatch.setitem(sys.modules, "fake_plugin", module)
        monkeypatch.setattr(
            ort, "register_execution_provider_library", lambda *given: registered.append(given)
        )
        monkeypatch.setattr(ort, "get_ep_devices", lambda: list(devices))
        return registered

    return make


def test_a_plug_in_is_registered_by_the_path_its_module_names(plugin: Callable[..., list]) -> None:
    registered = plugin()
    register("fake_plugin")
    assert registered == [("fake_plugin", "/lib/fake.so")]


def test_a_plug_in_that_is_not_installed_says_so() -> None:
    with pytest.raises(ProviderMissing, match="no_such_plugin can't be imported"):
        register("no_such_plugin")


def test_any_other_module_is_no_plug_in() -> None:
    with pytest.raises(ProviderMissing, match="get_library_path"):
        register("json")


def test_the_kind_of_device_asked_for_is_taken(plugin: Callable[..., list]) -> None:
    cpu, gpu = device(OPENVINO, "CPU"), device(OPENVINO, "GPU")
    plugin(device("CPUExecutionProvider", "CPU"), cpu, gpu)
    assert select(OPENVINO, "GPU") == [gpu]
    assert select(OPENVINO, None) == [cpu]
    with pytest.raises(ProviderMissing, match="no NPU here; it offers CPU, GPU"):
        select(OPENVINO, "NPU")


def test_no_device_names_the_hardware_that_is_there(plugin: Callable[..., list]) -> None:
    plugin(device("CPUExecutionProvider", "CPU", "AMD"))
    with pytest.raises(ProviderMissing, match=r"no device on this machine \(hardware here: AMD\)"):
        select(OPENVINO, "CPU")


def test_facts_list_both_and_survive_a_broken_plug_in(plugin: Callable[..., list]) -> None:
    plugin(device(OPENVINO, "CPU"))
    found = offers("fake_plugin")
    assert found["plugin_providers"] == [OPENVINO]
    assert found["ep_devices"] == [
        {"provider": OPENVINO, "vendor": "Intel", "device": "CPU", "device_vendor": "Intel"}
    ]
    assert "CPUExecutionProvider" in found["providers"]
    assert "no_such_plugin" in offers("no_such_plugin")["plugin_error"]


def test_threads_reach_providers_with_pools_of_their_own() -> None:
    found = with_threads(OPENVINO, {"load_config": '{"CPU": {"NUM_STREAMS": "1"}}'}, 3)
    assert json.loads(found["load_config"]) == {
        "CPU": {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "3"}
    }
    own = {"load_config": '{"CPU": {"INFERENCE_NUM_THREADS": "5"}}'}
    assert json.loads(with_threads(OPENVINO, own, 3)["load_config"]) == json.loads(
        own["load_config"]
    )
    assert with_threads(OPENVINO, {"num_of_threads": "4"}, 3) == {"num_of_threads": "4"}
    assert with_threads(OPENVINO, {"device_type": "GPU"}, 3) == {"device_type": "GPU"}
    assert with_threads("XnnpackExecutionProvider", {}, 2) == {"intra_op_num_threads": "2"}
    assert with_threads("CPUExecutionProvider", {}, 2) == {}


def test_a_provider_that_is_not_here_is_an_error_not_a_fallback(
    make_model: Callable[..., Path],
) -> None:
    job = Job(trial="t", provider="CUDAExecutionProvider")
    with pytest.raises(ProviderMissing, match="CUDAExecutionProvider is not in this onnxruntime"):
        open_session(make_model(), ort.SessionOptions(), job)


def test_a_session_without_the_provider_is_an_error(
    make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when OpenVINO is asked for a GPU that is not there: the session runs, on the CPU."""
    fallen = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", lambda *_, **__: fallen)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO])
    with pytest.raises(ProviderMissing, match="could not be started with these options"):
        open_session(make_model(), ort.SessionOptions(), Job(trial="t", provider=OPENVINO))


def test_wrong_provider_options_are_an_error_not_a_fallback(
    make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {}

    def session(*_: object, **more: object) -> SimpleNamespace:
        given.update(more)
        return SimpleNamespace(get_providers=lambda: [OPENVINO])

    monkeypatch.setattr(ort, "InferenceSession", session)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [OPENVINO])
    open_session(make_model(), ort.SessionOptions(), Job(trial="t", provider=OPENVINO))
    assert given["enable_fallback"] == 0
