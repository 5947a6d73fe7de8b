"""The helper process that looks at model files: a native library that crashes ends only it.

`profiler.sources.openable` starts it and asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from profiler.schema.lines import EndOfStream
from profiler.worker.channel import Channel

_CHARACTERS = 4000
_NEWER = re.compile(r"max supported IR version: (\d+)")


def check(path: str) -> None:
    """By path, so that models near protobuf's 2 GB limit pass too."""
    import onnx

    onnx.checker.check_model(path)


def start(path: str) -> None:
    """A session with the CPU provider, on one thread."""
    try:
        _session(path)
    except Exception as error:
        newer = _NEWER.search(str(error))
        if newer is None:
            raise
        raise RuntimeError(f"{error} {_against_opset(path, int(newer[1]))}") from None


def _session(model: str | bytes) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _against_opset(path: str, version: int) -> str:
    """What else is said of a model whose IR version is too new, were it `version`.

    Both come with a new exporter, and only the first is told.
    """
    import onnx

    model = onnx.load_model(path, load_external_data=False)
    model.ir_version = version
    try:
        _session(model.SerializeToString())
    except Exception as error:  # also of protobuf, for more than 2 GB
        return str(error)
    return ""


STEPS: dict[str, Callable[[str], object]] = {"check": check, "start": start}


def said(step: str, path: str) -> str | None:
    """What a library says against a file; None when it takes it."""
    try:
        STEPS[step](path)
    except MemoryError:
        return None  # this machine's want, not the model's fault
    except Exception as error:  # libraries raise what they like
        lines = " ".join(str(error).split())
        return f"{type(error).__name__}: {lines}"[:_CHARACTERS]
    return None


def serve() -> None:
    """Answer until the asker goes away."""
    channel = Channel.take_over_stdio()
    try:
        while True:
            asked = channel.receive()
            channel.send({"said": said(asked["step"], asked["path"])})
    except (EndOfStream, BrokenPipeError):
        return
