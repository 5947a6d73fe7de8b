"""The seam between host and device."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Optional, Protocol

from profiler.errors import TransportError
from profiler.wire.lines import LineReader


class Pipe(Protocol):
    """A running worker's stream. `reader` reads marked lines with timeouts."""

    reader: LineReader

    def send(self, data: bytes) -> None:
        """Write bytes to the worker. Raises TransportError when it is gone."""

    def at_most(self, limit_s: float) -> AbstractContextManager[None]:
        """Kill the process when what is done within takes longer: nobody reads."""

    def finish(self) -> None:
        """Nothing more will be sent."""

    def failure(self) -> TransportError:
        """Why the stream ended."""

    def kill(self) -> None:
        """End it at once, from any thread: who reads from it sees the end of the stream."""

    def close(self) -> None:
        """End the worker if it still runs, and release the stream."""


class Transport(Protocol):
    """A way to one device."""

    name: str

    def stage(self, path: Path, sha: str, called: str = "") -> None:
        """Bring a file to the device as blob `sha`; `called`: its name for a person."""

    def spawn(self, worker_sha: str) -> Pipe:
        """Start the staged worker archive."""

    def fetch(self, folder: str, sha: str, to: Path, limit_bytes: int) -> None:
        """Move an output blob from the device's `folder` to the file `to`.

        `folder` is the device's own word. Raises TransportError for what is no file of ours, or
        is longer than `limit_bytes`, OSError where `to` can't be written: that is no fault of the
        device.
        """

    def require_packages(self) -> None:
        """Raise TransportError where `packages` would find none for this kind of device."""

    def packages(self, cache: Path) -> Optional[Path]:
        """What `provide` sends, as one file in `cache`; None where it sends nothing.

        Raises TransportError where there is none for the device, or it can't be fetched.
        """

    def provide(self, cache: Path) -> dict[str, str]:
        """Give a bare device what the worker needs to run models; `cache` keeps it on this side.

        Package -> version and hash of what it has now.
        """

    def clean(self) -> None:
        """Remove every trace of ours from the device."""

    def stop(self) -> None:
        """From any thread: what it does beside the worker fails at once, and nothing else begins.

        The worker's stream is left to who holds it.
        """

    def drop(self) -> None:
        """Forget the connection, so that the next use makes a new one."""

    def close(self) -> None:
        """Let go of everything on this side."""
