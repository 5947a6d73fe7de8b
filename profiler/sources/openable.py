"""Whether ONNX Runtime and the checker take a model file, asked in a process of its own.

A damaged file can end a native library with a signal, or keep it busy for ever. Both happen to a
helper process, which is kept for the next file and started again after a crash.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import profiler
from profiler.errors import ModelError
from profiler.sources.inspect import data_files
from profiler.sources.quiet import shortened
from profiler.wire.lines import EndOfStream, Garbled, LineReader, Silence, pack
from profiler.wire.outside import printable
from profiler.wire.refusals import Refusal, refusal

TIMEOUT_S = 20.0
BYTES_PER_S = 20 * 2**20
"""a second more for so many bytes of model: the pace of a slow disk"""
QUERY_S = 40.0
"""more for a query; what takes longer is for the runner to watch"""
ASKED = 8
"""queries that are asked before anything is planned, one where they are large"""
BYTES = 64 * 2**20
"""of all queries of one workload, where several of them fit"""
PREPROCESS_S = 1800.0
"""more to infer shapes: symbolic ones of a deep graph take minutes"""
_START_S = 60.0
"""more for the first answer: onnx and onnxruntime are imported before it"""
_END_S = 0.5
_OTHERS_MAY = "NotImplemented"
"""a kernel that the CPU provider lacks: another provider may have it"""
# Not `-m`: it would look for modules in the user's folder first.
_PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1]; from profiler.sources.opener import serve; serve()"
)
_AGAIN = "export the model again with a current exporter"
_NODE = re.compile(r".*running (\w+) node\. Name:'([^']*)' Status Message: (.*)")
_CODE = re.compile(r"^\w+: (\[ONNXRuntimeError\] : \d+ : \w+ : )?")
_PLACE = re.compile(r"^(/\S+:\d+ .*?\) )?(const )?(\[with .*?\] )?(\w+\.(h|cc):\d+ \w+ )?")
_TWICE = re.compile(r"(\S+) initializer name is not unique")


class Crashed(Exception):
    """The helper was ended by a signal or did not answer in time; says how."""


class Slow(Crashed):
    """It did not answer in time."""


class Opener:
    """The helper process, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, step: str, path: Path, timeout_s: float, **more: Any) -> str | None:
        """What a step (of opener.STEPS, which takes `more`) says against a file, else None.

        Raises Crashed.
        """
        with self._lock:
            if self._process is None:
                self._start()
                timeout_s += _START_S
            process = self._process
            assert process is not None
            assert process.stdin is not None
            try:
                process.stdin.write(pack({"step": step, "path": str(path.resolve()), **more}))
                said = self._reader.read(timeout_s)["said"]
            except Silence:
                self._end()
                raise Slow(f"does not answer within {timeout_s:.0f} s") from None
            except (EndOfStream, Garbled, OSError):
                code = self._end()
                if code == -signal.SIGKILL:
                    return None  # for want of memory here; the device may have more
                how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
                raise Crashed(f"ends {how}") from None
            except BaseException:  # Ctrl-C: the answer to come would be taken for the next one's
                self._end()
                raise
            return None if said is None else printable(str(said))

    def forget(self) -> None:
        """Let go of the model it holds, where it runs."""
        if self._process is not None:
            with contextlib.suppress(Crashed):
                self.ask("forget", Path(), TIMEOUT_S)

    def close(self) -> None:
        """End the helper; the next question starts another one."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        root = Path(profiler.__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(root)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us
        )
        assert self._process.stdout is not None
        self._reader = LineReader(self._process.stdout.fileno(), strict=True)

    def _end(self) -> int:
        """The status the helper ended with by itself; 0 when it had to be killed, or none runs."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return 0


_opener = Opener()
atexit.register(_opener.close)


def refused(path: Path, queries: Mapping[str, np.ndarray[Any, Any]]) -> str | None:
    """Why the CPU provider does not answer stacked queries (input -> [queries, ...]).

    None when it does, or when this machine can't tell: for want of a kernel, memory or time. The
    helper holds the model until `forget`.
    """
    with tempfile.TemporaryDirectory(prefix="profiler-queries-") as scratch:
        file = Path(scratch) / "queries.npz"
        np.savez(file, *queries.values())
        try:
            said = _opener.ask(
                "query", path, _patience_s(path) + QUERY_S, names=list(queries), queries=str(file)
            )
        except Slow:
            return None
        except Crashed as crashed:
            return f"ONNX Runtime {crashed} when it answers them"
    return None if said is None or said.startswith(_OTHERS_MAY) else plain(said)


def answers(
    path: Path, query: Mapping[str, np.ndarray[Any, Any]]
) -> tuple[list[np.ndarray[Any, Any]] | None, str | None]:
    """(the CPU provider's outputs for one query of input -> array, why there are none).

    Both None where this machine can't tell: for want of a kernel, memory or time, or because some
    are sequences, maps or texts.
    """
    with tempfile.TemporaryDirectory(prefix="profiler-queries-") as scratch:
        asked, into = Path(scratch) / "queries.npz", Path(scratch) / "outputs.npz"
        np.savez(asked, *(np.asarray(value)[None] for value in query.values()))
        try:
            said = _opener.ask(
                "answer", path, _patience_s(path) + QUERY_S,
                names=list(query), queries=str(asked), into=str(into),
            )  # fmt: skip
        except Slow:
            return None, None
        except Crashed as crashed:
            return None, f"ONNX Runtime {crashed}"
        if said is not None or not into.is_file():
            return None, None if said is None or said.startswith(_OTHERS_MAY) else plain(said)
        with np.load(into) as found:
            return [found[key] for key in found.files], None


def preprocessed(
    source: Path, target: Path, *, symbolic: bool, fuse: bool, external: bool
) -> str | None:
    """Why `source`, made ready for the quantizers, is not at `target`; None when it is.

    Shapes are inferred, `symbolic` ones too, and nodes folded and fused (`fuse`). What protobuf
    can't hold goes into a file beside it (`external`).
    """
    try:
        said = _opener.ask(
            "preprocess", source, _patience_s(source) + PREPROCESS_S,
            into=str(target.resolve()), symbolic=symbolic, fuse=fuse, external=external,
        )  # fmt: skip
    except Crashed as crashed:
        return f"ONNX Runtime {crashed}"
    if said is None and not target.is_file():
        return "the memory here does not hold it"
    return None if said is None else shortened(said)


def forget() -> None:
    """Let go of the model that answered queries, and of the memory it takes."""
    _opener.forget()


def plain(said: str) -> str:
    """ONNX Runtime's words on a query, of the innermost node, without places in its source."""
    node = _NODE.search(said)
    if node is None:
        return shortened(_CODE.sub("", said))
    operator, name, reason = node.groups()
    named = f' "{name}"' if name else ""
    return shortened(f"node{named} ({operator}): {_PLACE.sub('', reason)}")


def _patience_s(path: Path) -> float:
    size_bytes = sum(f.stat().st_size for f in (path, *data_files(path)) if f.is_file())
    return TIMEOUT_S + size_bytes / BYTES_PER_S


def openable(path: Path) -> None:
    """Raises ModelError in plain words when ONNX Runtime or the checker refuses the file."""
    timeout_s = _patience_s(path)
    started = _asked("start", path, timeout_s)
    found = None if started is None else refusal(started)
    checked = None if found else _asked("check", path, timeout_s)
    if checked is not None:
        found = _against(checked)
    elif started is not None and not started.startswith(_OTHERS_MAY):
        found = found or Refusal(f"ONNX Runtime does not take it: {shortened(started)}", _AGAIN)
    if found is not None:
        raise ModelError(f"{path}: {found.message}", hint=found.hint)


def _asked(step: str, path: Path, timeout_s: float) -> str | None:
    try:
        return _opener.ask(step, path, timeout_s)
    except Crashed as crashed:
        library = "ONNX Runtime" if step == "start" else "the checker of onnx"
        raise ModelError(
            f"{path}: a damaged model: {library} {crashed} when it reads it", hint=_AGAIN
        ) from None


def _against(checked: str) -> Refusal:
    """What the checker says, in plain words where they are known."""
    twice = _TWICE.search(checked)
    if twice is not None:
        return Refusal(
            f'two of its weights (initializers) are called "{twice[1]}"',
            "remove one of them from model.graph.initializer and save it, or export it again",
        )
    return Refusal(f"expected a valid ONNX model, the checker says: {shortened(checked)}", _AGAIN)
