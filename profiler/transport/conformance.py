"""What every transport must do, as checks that run over any of them.

For whoever adds a transport: give `CHECKS` a function that makes a fresh one, and pytest or a loop
to run them. Each check raises AssertionError with what went wrong.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler.errors import TransportError
from profiler.transport import payload
from profiler.transport.base import Pipe, Transport
from profiler.wire.lines import EndOfStream, Silence, pack

Make = Callable[[], Transport]
LARGE_BYTES = 24 * 2**20
_ANSWER_S = 60.0


def _expect(fine: bool, what: str) -> None:
    if not fine:
        raise AssertionError(what)


def _stage(transport: Transport, folder: Path, data: bytes, name: str = "file") -> str:
    path = folder / name
    path.write_bytes(data)
    sha = hashlib.sha256(data).hexdigest()
    transport.stage(path, sha)
    return sha


def _worker(transport: Transport, folder: Path) -> Pipe:
    data, _ = payload.build()
    return transport.spawn(_stage(transport, folder, data, "worker.pyz"))


def _ask(pipe: Pipe, operation: str, **arguments: Any) -> Any:
    pipe.send(pack({"id": 1, "op": operation, "args": arguments}))
    reply = pipe.reader.read(_ANSWER_S)
    _expect(reply.get("ok") is True, f"{operation}: {reply}")
    return reply["result"]


def binary_safety(make: Make, folder: Path) -> None:
    """Every byte value, empty files and protocol look-alikes arrive as they were sent."""
    transport = make()
    try:
        contents = [b"", bytes(range(256)) * 41, b"\n\x1eprofiler1 {}\n" * 9, b"\x00" * 4097]
        shas = [_stage(transport, folder, data) for data in contents]
        pipe = _worker(transport, folder)
        try:
            _expect(_ask(pipe, "have", shas=shas)["missing"] == [], "a blob is missing or damaged")
            out = Path(_ask(pipe, "hello")["out"])
            for sha, data in zip(shas, contents, strict=True):
                transport.fetch(str(out.parent / "blobs"), sha, folder / "back", LARGE_BYTES)
                _expect((folder / "back").read_bytes() == data, "came back changed")
        finally:
            pipe.close()
    finally:
        transport.close()


def large_files(make: Make, folder: Path) -> None:
    """Incompressible and compressible megabytes; staging again is harmless."""
    transport = make()
    try:
        for data in (os.urandom(LARGE_BYTES), b"weights " * (LARGE_BYTES // 8)):
            sha = _stage(transport, folder, data)
            _expect(_stage(transport, folder, data) == sha, "staged twice")
            pipe = _worker(transport, folder)
            try:
                _expect(_ask(pipe, "have", shas=[sha])["missing"] == [], "damaged on the way")
            finally:
                pipe.close()
    finally:
        transport.close()


def unicode_paths(make: Make, folder: Path) -> None:
    """Names with spaces, quotes and other scripts, on both sides, are only names."""
    transport = make()
    try:
        strange = folder / "grüße $(touch x) '\"; 数"
        strange.mkdir()
        sha = _stage(transport, strange, b"content", "ein modell.onnx")
        pipe = _worker(transport, folder)
        try:
            out = Path(_ask(pipe, "hello")["out"])
            transport.fetch(str(out.parent / "blobs"), sha, strange / "zurück", LARGE_BYTES)
        finally:
            pipe.close()
        _expect((strange / "zurück").read_bytes() == b"content", "came back changed")
    finally:
        transport.close()


def timeouts(make: Make, folder: Path) -> None:
    """A read of a worker that has nothing to say ends after its timeout, and the worker lives."""
    transport = make()
    try:
        pipe = _worker(transport, folder)
        try:
            _expect(_ask(pipe, "hello")["protocol"] >= 1, "no hello")
            try:
                pipe.reader.read(0.05)
                raise AssertionError("an answer without a question")
            except Silence:
                pass
            _expect(_ask(pipe, "hello")["protocol"] >= 1, "no second hello")
        finally:
            pipe.close()
    finally:
        transport.close()


def killed_worker(make: Make, folder: Path) -> None:
    """A worker that is killed on the device is noticed at once, and said to be gone."""
    transport = make()
    try:
        pipe = _worker(transport, folder)
        try:
            _ask(pipe, "hello")
            pipe.send(pack({"op": "ping", "silence_s": 0.05}))  # it ends itself by SIGKILL
            try:
                message = pipe.reader.read(_ANSWER_S)
                _expect(message.get("ended") == 128 + signal.SIGKILL, f"got {message}")
            except EndOfStream:
                _expect(isinstance(pipe.failure(), TransportError), "no reason is given")
        finally:
            pipe.close()
    finally:
        transport.close()


def noise_on_stdout(make: Make, folder: Path) -> None:
    """Output between messages, here half a line from the host's echo, is not taken for one."""
    transport = make()
    try:
        pipe = _worker(transport, folder)
        try:
            pipe.send(b"login: welcome\n\x1eprofiler1 not json\n")
            _expect(_ask(pipe, "hello")["protocol"] >= 1, "no hello after noise")
        finally:
            pipe.close()
    finally:
        transport.close()


def premature_end(make: Make, folder: Path) -> None:
    """A worker that can't start is an error, not a wait; so is a blob that is not there."""
    transport = make()
    try:
        pipe = transport.spawn(_stage(transport, folder, b"raise SystemExit(7)"))
        try:
            message = pipe.reader.read(_ANSWER_S)
            _expect(message.get("ended") == 7, f"got {message}")
        except EndOfStream:
            _expect("7" in pipe.failure().message, "the exit status is not named")
        finally:
            pipe.close()
        try:
            transport.fetch("/nowhere", "0" * 64, folder / "never", LARGE_BYTES)
            raise AssertionError("fetched a file that does not exist")
        except TransportError:
            pass
    finally:
        transport.close()


CHECKS: dict[str, Callable[[Make, Path], None]] = {
    check.__name__: check
    for check in (
        binary_safety, large_files, unicode_paths, timeouts, killed_worker, noise_on_stdout,
        premature_end,
    )
}  # fmt: skip


def run_all(make: Make) -> list[str]:
    """Run every check in a private folder; returns the names of those that passed."""
    passed = []
    for name, check in CHECKS.items():
        with tempfile.TemporaryDirectory() as folder:
            check(make, Path(folder))
        passed.append(name)
    return passed
