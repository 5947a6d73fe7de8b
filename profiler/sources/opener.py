"""The helper process that looks at model files: a native library that crashes ends only it.

`profiler.sources.openable` starts it and asks.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from profiler.sources.quiet import quiet
from profiler.wire.affinity import usable_cores
from profiler.wire.channel import Channel
from profiler.wire.lines import EndOfStream
from profiler.wire.providers import CPU

_CHARACTERS = 4000
_QUERIES_S = 0.5
_held: dict[str, Any] = {}
"""path -> session of the model that is being queried"""
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


def query(path: str, names: Sequence[str], queries: str) -> None:
    """Answer the queries of an .npz file (stacked, in the order of `names`) for half a second.

    The session is held for further queries, until another step is asked.
    """
    import numpy as np
    import onnxruntime

    if path not in _held:
        _held.clear()
        _held[path] = _session(path, threads=usable_cores())
    session = _held[path]
    outputs = [output.name for output in session.get_outputs()]
    with np.load(queries) as stacked:
        values = [stacked[key] for key in stacked.files]
    began = time.monotonic()
    for number in range(len(values[0]) if values else 1):
        feed = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(np.asarray(value[number]))
            for name, value in zip(names, values, strict=True)
        }
        session.run_with_ort_values(outputs, feed)
        if time.monotonic() - began > _QUERIES_S:
            return


def answer(path: str, names: Sequence[str], queries: str, into: str) -> None:
    """Answer the first query of an .npz file as `query` does, with the outputs in another.

    Sequences, maps and texts are not written.
    """
    import numpy as np

    with np.load(queries) as stacked:
        feed = {name: stacked[key][0] for name, key in zip(names, stacked.files, strict=True)}
    outputs = _session(path).run(None, feed)
    if all(isinstance(value, np.ndarray) and value.dtype != object for value in outputs):
        np.savez(into, *outputs)


def preprocess(path: str, into: str, symbolic: bool, fuse: bool, external: bool) -> None:
    """Write the model with shapes inferred, and folded and fused where asked, to another file.

    In its folder, too, lies what the symbolic inference leaves behind in the working folder.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    target = Path(into)
    with contextlib.chdir(target.parent), quiet() as said:
        quant_pre_process(
            path,
            target,
            skip_symbolic_shape=not symbolic,
            skip_optimization=not fuse,
            auto_merge=True,
            save_as_external_data=external,
            all_tensors_to_one_file=True,
            external_data_location=f"{target.name}.data",
        )
    # A failed optimization is only logged and leaves an unoptimized graph behind.
    if fuse and "Optimization Failed" in said.getvalue():
        raise ValueError("ONNX Runtime can't optimize the graph")


def forget(path: str) -> None:
    """Let go of the session that answers queries, as every step but `query` does."""


def _session(model: str | bytes, threads: int = 1) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=[CPU])


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


STEPS: dict[str, Callable[..., object]] = {
    "check": check, "start": start, "query": query, "answer": answer, "forget": forget,
    "preprocess": preprocess,
}  # fmt: skip


def said(step: str, path: str, **more: Any) -> str | None:
    """What a library says against a file; None when it takes it. `more`: of the step."""
    if step != "query":
        _held.clear()
    try:
        STEPS[step](path, **more)
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
            channel.send({"said": said(**asked)})
    except (EndOfStream, BrokenPipeError):
        return
