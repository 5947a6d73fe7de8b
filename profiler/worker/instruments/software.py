"""Interpreter, libraries and execution providers, and why a library that is there can't be used.

Asked in a process of its own, which says what it is about to do: a runtime that was built for
another processor ends whoever imports it.
"""

from __future__ import annotations

import base64
import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from typing import Any, Optional

from profiler.wire.endings import ended_by
from profiler.wire.messages import MARKER
from profiler.wire.outside import one_line
from profiler.worker.isolated import private, python

_MOST_S = 90.0
_TEXT = 300
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from profiler.worker.instruments.software import tell; tell()"
)
_PRODUCT = (
    "CAQ6VgoYCgF4CgF3EgF5Ig1NYXRNdWxJbnRlZ2VyEgFnKg0IAggBEANCAXdKAn9/WhMKAXgSDgoMCAISCAoCCAEKAggC"
    "YhMKAXkSDgoMCAYSCAoCCAEKAggBQgQKABAK"
)
"""an ONNX file in base64: MatMulInteger of x, uint8[1, 2], and the int8 weights 127, 127"""
_TOO_NEW = {
    "max_ir": (
        "CGM6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAhAR",
        r"max supported IR version: (\d+)",
    ),
    "max_opset": (
        "CAM6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAxDnBw==",
        r"domain ai\.onnx is till opset (\d+)",
    ),
}
"""fact -> an Identity in base64 that is too new (IR version 99; opset 999), how that is refused"""


def version(package: str) -> Optional[str]:
    """The version of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def saturates() -> Optional[bool]:
    """Whether the runtime's sums of two u8 × s8 products are cut off at 16 bits here.

    Asked of the runtime: an emulated processor shows its host's flags, and a flag doesn't tell
    whether the kernels use it. None where the runtime can't be asked.
    """
    try:
        import numpy
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            base64.b64decode(_PRODUCT), options, providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"x": numpy.full((1, 2), 255, numpy.uint8)})
        return int(found[0, 0]) != 255 * (127 + 127)
    except Exception:  # onnxruntime raises its own kinds; a build may lack the operator
        return None


def newest() -> dict[str, Optional[int]]:
    """The newest IR version and opset that the runtime takes; None where it does not tell."""
    limits: dict[str, Optional[int]] = {}
    for name, (model, pattern) in _TOO_NEW.items():
        said = ""
        try:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            onnxruntime.InferenceSession(
                base64.b64decode(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises its own kinds
            said = str(error)
        told = re.search(pattern, said)
        limits[name] = int(told[1]) if told else None
    return limits


def _imported(name: str) -> dict[str, Any]:
    """The version of a library, or why it is there and can't be used."""
    try:
        module = __import__(name)
        found: dict[str, Any] = {name: str(module.__version__)}
        if name == "onnxruntime":
            found["providers"] = module.get_available_providers()
        return found
    except ModuleNotFoundError as error:
        if error.name == name:
            return {name: None}
        return {name: None, f"{name}_error": told(error)}
    except Exception as error:  # native code and mixed versions raise all kinds
        return {name: None, f"{name}_error": told(error)}


def told(error: BaseException) -> str:
    """An error of an import in one line; numpy wraps the loader's words in a page of advice."""
    text = str(error)
    wrapped = re.search(r"[Oo]riginal error was: (.*)", text)
    return private(one_line(f"{type(error).__name__}: {wrapped[1] if wrapped else text}"))[:_TEXT]


def tell() -> None:
    """Say on stdout what there is, one message for each step."""

    def say(**message: Any) -> None:
        sys.stdout.write(f"\n{MARKER}{json.dumps(message)}\n")
        sys.stdout.flush()

    for name in ("numpy", "onnxruntime"):
        say(step=name)
        say(found=_imported(name))
    say(step="")
    say(found={"int8_saturates": saturates(), **newest()})


def ask() -> dict[str, Any]:
    """Keys of the facts: python, providers, and each library; None for what is not installed."""
    facts: dict[str, Any] = {
        "python": platform.python_version(), "providers": [], "numpy": None, "onnxruntime": None,
    }  # fmt: skip
    step, ended = "", ""
    command = [*python(), "-c", _PROGRAM, json.dumps(sys.path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_MOST_S, check=False)
        said = done.stdout
        if done.returncode < 0:
            ended = ended_by(-done.returncode)
        elif done.returncode:
            ended = private(one_line(done.stderr.decode(errors="replace").strip()[-_TEXT:]))
    except subprocess.TimeoutExpired as error:
        said, ended = error.stdout or b"", f"no end in {_MOST_S:g} s"
    except OSError as error:
        said, ended = b"", f"{error.strerror}"
    for line in said.decode(errors="replace").split("\n"):
        if line.startswith(MARKER):
            message = json.loads(line[len(MARKER) :])
            facts.update(message.get("found", {}))
            step = message.get("step", step)
    if ended and step:
        about = f"importing {step} {version(step) or ''}".rstrip()
        facts[f"{step}_error"] = f"{about} ended with {ended}"
    # Asked without importing: torch alone would take seconds.
    facts["torch"] = version("torch")
    return facts
