"""This machine as a device: the same worker, the same protocol, over a child process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional

from profiler.errors import TransportError
from profiler.schema.lines import LineReader


def cache_folder() -> Path:
    """Where blobs and built variants are kept between runs (XDG base directory rule)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "profiler"


class LocalPipe:
    """The worker process on this machine."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the pipe)
        try:
            # A session of its own: Ctrl-C reaches the host alone, which then closes the worker.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=home,
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise TransportError(
                f"{command[0]}: can't be started ({error.strerror})",
                hint="set `python` in the target file to a Python 3.9 or newer",
            ) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.reader = LineReader(self._stdout.fileno())

    def send(self, data: bytes) -> None:
        """Write bytes to the worker."""
        try:
            self._stdin.write(data)
            self._stdin.flush()
        except OSError:
            raise TransportError(f"the worker is gone: {self.ended()}") from None

    def ended(self) -> str:
        """Exit status and the tail of what it wrote to stderr."""
        try:
            code: Optional[int] = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self._stderr.seek(0)
        tail = self._stderr.read().decode(errors="replace").strip().splitlines()[-3:]
        status = "still running" if code is None else f"exit status {code}"
        return " | ".join([status, *tail])

    def close(self) -> None:
        """Closing stdin ends the worker and its runners; whatever remains is killed."""
        self._stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


class LocalTransport:
    """Files are linked or copied into a folder of ours, exactly as they would be on a device."""

    name = "local"

    def __init__(self, python: Optional[str] = None, home: Optional[Path] = None) -> None:
        self._python = python or sys.executable
        self._home = home or cache_folder() / "device"
        try:
            (self._home / "blobs").mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise TransportError(
                f"{self._home}: can't be written ({error.strerror})",
                hint="set XDG_CACHE_HOME to a folder you can write",
            ) from None

    def stage(self, path: Path, sha: str) -> None:
        """Copy (copy-on-write where the file system can) and rename, so no half blob is seen."""
        handle, name = tempfile.mkstemp(dir=self._home / "blobs")
        os.close(handle)
        try:
            shutil.copyfile(path, name)
            Path(name).replace(self._home / "blobs" / sha)
        except OSError as error:
            Path(name).unlink(missing_ok=True)
            raise TransportError(
                f"{self._home}: {error.strerror} while staging {path.name}"
            ) from None

    def spawn(self, worker_sha: str) -> LocalPipe:
        """Start the worker with the target's interpreter."""
        archive = self._home / "blobs" / worker_sha
        return LocalPipe([self._python, str(archive), "serve", str(self._home)], self._home)

    def fetch(self, folder: str, sha: str, to: Path) -> None:
        """Move the blob here."""
        try:
            shutil.move(Path(folder) / sha, to)
        except OSError as error:
            raise TransportError(f"{to}: {error.strerror} while fetching results") from None
