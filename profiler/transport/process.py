"""A child process as a protocol stream: the worker itself, or the `ssh` that leads to it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Optional

from profiler.errors import InputError, TransportError
from profiler.transport.children import kill_group
from profiler.wire.lines import LineReader
from profiler.wire.outside import printable

_PIPE_BYTES = 1 << 20
_STDERR_BYTES = 1 << 16
"""the end of it, that errors are made from"""
_WORDS = 500
_LOOK_MS = 250
_NOT_THAT_WAY = (errno.EINVAL, errno.ENOTSOCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""sendfile(2): some file systems can't be read by it, and macOS writes with it to sockets only"""
_ENDS_S = 2.5
"""A worker whose stream ended ends at once; over a slow link this is heard a second later."""
Explain = Callable[[Optional[int], str], TransportError]
"""(exit status or None while it runs, what it wrote to stderr) -> the error to raise"""


def _nothing() -> None:
    """Nobody looks."""


class ProcessPipe:
    """stdin and stdout carry the protocol; stderr is kept to explain an end."""

    def __init__(
        self,
        command: list[str],
        explain: Explain,
        *,
        folder: Optional[Path] = None,
        environment: Optional[Mapping[str, str]] = None,
        hint: Optional[str] = None,
    ) -> None:
        self._explain = explain
        # A file, not a pipe: ssh's background master keeps the descriptor open.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the pipe)
        try:
            # A session of its own: Ctrl-C reaches the host alone, which then closes the worker,
            # and nothing can ask for a password on the terminal.
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=folder,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            words = f"can't be started ({error.strerror})"
            raise TransportError(
                f"{command[0]}: {words}", hint=hint, kept=f"{Path(command[0]).name}: {words}"
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        self._look: Callable[[], None] = _nothing
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux: fewer turns of a large transfer
            with contextlib.suppress(OSError):  # not beyond the user's share
                fcntl.fcntl(self._stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.reader = LineReader(self._stdout.fileno(), strict=True)

    def __enter__(self) -> ProcessPipe:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self.kill()  # Ctrl-C waits for nobody
        self.close()

    def send(self, data: bytes) -> None:
        """Write bytes. Raises the TransportError which explains why nobody reads them."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._push(partial(self._stdin.write, rest)) :]

    def pour(self, file: BinaryIO, offset: int, count: int) -> None:
        """Write a part of a file, which the kernel moves where it can. Raises as `send` does, and
        InputError when the file ends before.
        """

        def move() -> Optional[int]:
            try:
                return os.sendfile(self._stdin.fileno(), file.fileno(), offset, count)
            except OSError as error:
                if error.errno not in _NOT_THAT_WAY:
                    raise
            file.seek(offset)
            return self._stdin.write(file.read(min(count, _PIPE_BYTES)))

        while count:
            moved = self._push(move)
            if not moved:
                raise InputError(f"{file.name} became shorter while it was sent")
            offset += moved
            count -= moved

    def _push(self, move: Callable[[], Optional[int]]) -> int:
        """Write as soon as there is room; returns the number of bytes."""
        while True:
            self._look()
            try:
                with contextlib.suppress(BlockingIOError):
                    moved = move()
                    if moved is not None:
                        return moved
                room = select.poll()
                room.register(self._stdin, select.POLLOUT)
                room.poll(_LOOK_MS)
            except (OSError, ValueError):
                raise self.failure() from None

    @contextlib.contextmanager
    def watched(self, look: Callable[[], None]) -> Iterator[None]:
        """`look` comes again and again while something is written, or waits to be."""
        self._look = look
        try:
            yield
        finally:
            self._look = _nothing

    def finish(self) -> None:
        """Nothing more will be sent."""
        try:
            self._stdin.close()
        except OSError:
            raise self.failure() from None

    @contextlib.contextmanager
    def at_most(self, limit_s: float) -> Iterator[None]:
        """Kill the process when this takes longer, so that writing to it ends: nobody reads."""
        over = threading.Timer(limit_s, self.kill)
        over.daemon = True
        over.start()
        try:
            yield
        finally:
            over.cancel()

    def failure(self) -> TransportError:
        """Why the stream ended."""
        return self._explain(*self.ended())

    def ended(self) -> tuple[Optional[int], str]:
        """Exit status (None: it still runs) and the last it wrote to stderr."""
        try:
            code: Optional[int] = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _STDERR_BYTES))
        return code, self._stderr.read().decode(errors="replace")

    def kill(self) -> None:
        """End the process at once; a thread that reads from it sees the end of the stream."""
        if self._process.poll() is None:  # else the number may be another's by now
            kill_group(self._process.pid)

    def close(self) -> None:
        """Closing stdin ends the worker and its runners; whatever remains is killed."""
        with contextlib.suppress(OSError):  # it is gone, and with it what was still buffered
            self._stdin.close()
        try:
            self._process.wait(timeout=_ENDS_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


def last_lines(stderr: str, count: int = 3) -> list[str]:
    """The tail of what a process wrote to stderr, fit to be shown."""
    return [printable(line[:_WORDS]) for line in stderr.strip().splitlines()[-count:]]
