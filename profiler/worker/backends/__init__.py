"""Inference libraries: `name -> "module:Class"`, imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Optional, Protocol

from profiler.wire.messages import Job, Placement

BACKENDS = {
    "null": "profiler.worker.backends.null:NullBackend",
    "onnxruntime": "profiler.worker.backends.ort:OrtBackend",
    "onnxruntime-gpu": "profiler.worker.backends.ort_cuda:CudaBackend",
    "torch": "profiler.worker.backends.torch_module:TorchBackend",
}


class Backend(Protocol):
    """One loaded model in this process. The timed loop is the backend's own."""

    providers: tuple[str, ...]

    def load(self, job: Job, model: Optional[Path]) -> None:
        """Create the session. Everything it costs is load time."""

    def placement(self) -> Optional[Placement]:
        """Where the graph's nodes run; None when that is not known."""

    def bind(self, rows: dict[str, Any], batch: int, stack: bool, lanes: int) -> None:
        """Prepare queries from real rows (first axis = rows), cycling through them.

        Query numbers that differ modulo `lanes` share no memory, so lanes may run side by side.
        """

    def prepare(self) -> None:
        """After the first query: whatever makes the later ones steady."""

    def asker(self) -> Callable[[int], object]:
        """What answers the query of a number when it is called.

        All that can be decided before is: whoever times the call times the query. One got before
        `prepare` does what was right then.
        """

    def timed(self, first: int, out: Any) -> None:
        """Issue len(out) queries and write each one's latency in ns into `out` (array 'q')."""

    def end_trace(self) -> bytes:
        """Stop the profiler that `job.trace` started; returns Chrome's trace JSON."""

    def predict(self, rows: dict[str, Any], batch: int, stack: bool) -> dict[str, Any]:
        """Outputs for all rows, in order, as numpy arrays with the rows on the first axis."""

    def call(self, feed: dict[str, Any]) -> dict[str, Any]:
        """One query with exactly these arrays, whatever they are; from several threads at once."""


def issue(backend: Backend, first: int, count: int) -> None:
    """Issue queries first, first+1, … untimed."""
    ask = backend.asker()
    for number in range(first, first + count):
        ask(number)


def make(name: str) -> Backend:
    """The backend called `name`. Raises KeyError for an unknown one."""
    module, _, cls = BACKENDS[name].partition(":")
    backend: Backend = getattr(import_module(module), cls)()
    return backend
