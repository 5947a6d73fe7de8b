"""A device in this process that says whatever it is told to: the other end of a Session's pipe."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from profiler.errors import TransportError
from profiler.transport import payload
from profiler.wire.lines import EndOfStream, LineReader, Silence
from profiler.wire.messages import MARKER, PROTOCOL

Say = Callable[[dict[str, Any]], Iterable[bytes]]
"""what the device sends after a question: bytes as they come off the wire"""


def line(message: Any) -> bytes:
    """One line of the protocol; NaN and surrogates are let through, as a liar would."""
    return MARKER.encode() + json.dumps(message).encode() + b"\n"


class FakeReader(LineReader):
    """Takes bytes from a list in place of a descriptor; when there are none, nobody answers."""

    def __init__(self) -> None:
        super().__init__(-1, strict=True)
        self.coming: list[bytes] = []

    def read(self, timeout_s: float | None) -> dict[str, Any]:
        while not self._ready and self._garbled is None:
            if not self.coming:
                raise Silence
            chunk = self.coming.pop(0)
            if not chunk:
                raise EndOfStream
            for start in range(0, len(chunk), 1 << 16):
                self._take(chunk[start : start + (1 << 16)])
        return super().read(timeout_s)


class FakePipe:
    """Answers questions by `say`; pings are no questions."""

    def __init__(self, say: Say) -> None:
        self._say, self.reader = say, FakeReader()

    def __enter__(self) -> FakePipe:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""

    def send(self, data: bytes) -> None:
        message = json.loads(data.partition(MARKER.encode())[2])
        if message["op"] != "ping":
            self.reader.coming += self._say(message)

    def at_most(self, limit_s: float) -> AbstractContextManager[None]:
        return nullcontext()

    def finish(self) -> None:
        """Nothing to do."""

    def failure(self) -> TransportError:
        return TransportError("the worker is gone")

    def kill(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class FakeTransport:
    """A device whose worker answers by `say`, and whose blobs lie in `blobs`."""

    name = "fake"

    def __init__(self, say: Say, blobs: dict[str, bytes] | None = None) -> None:
        self._say, self.blobs = say, blobs or {}

    def stage(self, path: Path, sha: str, called: str = "") -> None:
        """Swallow it."""

    def spawn(self, worker_sha: str) -> FakePipe:
        return FakePipe(self._say)

    def fetch(self, folder: str, sha: str, to: Path, limit_bytes: int) -> None:
        if sha not in self.blobs:
            raise TransportError(f"{sha}: is not there")
        to.write_bytes(self.blobs[sha][: limit_bytes + 1])

    def provide(self, cache: Path) -> dict[str, str]:
        """Nothing to give."""
        return {}

    def stop(self) -> None:
        """Nothing runs."""

    def clean(self) -> None:
        """Nothing to remove."""

    def drop(self) -> None:
        """No connection."""

    def close(self) -> None:
        """No connection."""


def sha_of(data: bytes) -> str:
    """The name of a blob."""
    return hashlib.sha256(data).hexdigest()


def honest(latencies: bytes, outputs: dict[str, bytes]) -> Callable[[str, dict[str, Any]], Any]:
    """A worker's results by operation, right in every word. `latencies`: int64, two queries."""
    from profiler.worker.instruments import facts

    found = facts.gather()

    def answer(operation: str, args: dict[str, Any]) -> Any:
        if operation == "hello":
            return {"protocol": PROTOCOL, "worker": payload.build()[1], "pid": os.getpid(),
                    "out": "/device/out-1"}  # fmt: skip
        if operation == "facts":
            return json.loads(json.dumps(found))
        if operation == "have":
            return {"missing": args["shas"]}
        names = {name: sha_of(data) for name, data in outputs.items()}
        if operation == "round":
            request = args["request"]
            return {"repetitions": [
                _repetition(job["trial"], request["round"], sha_of(latencies),
                            names if job["trial"] in request["predict"] else {})
                for job in (*request["jobs"], *_yardstick(request))
            ]}  # fmt: skip
        if operation == "predict":
            return {"status": "ok", "reason": None, "detail": None, "outputs": names}
        if operation == "probe":
            return {"case": args["case"], "outcome": "error", "detail": "refused",
                    "wall_ns": 1000, "plain_ns": 900}  # fmt: skip
        if operation == "trace":
            return {"trial": args["request"]["job"]["trial"], "status": "ok", "reason": None,
                    "detail": None, "blob": sha_of(latencies), "queries": 2, "plain_ns": [5, 6],
                    "providers": ["CPUExecutionProvider"]}  # fmt: skip
        return {}

    return answer


def _repetition(trial: str, number: int, sha: str, outputs: dict[str, str]) -> dict[str, Any]:
    return {
        "trial": trial, "round": number, "status": "ok", "reason": None, "detail": None,
        "latencies": sha, "services": None,
        "blocks": [{"position": i, "queries": 1, "wall_ns": 2000, "cpu_ns": 1500,
                    "run_delay_ns": 0, "other_cpu_ns": -5, "disturbed": None, "gpu": None,
                    "thermal": {"celsius": 50.5, "mhz": [2400], "throttled": []}}
                   for i in range(2)],
        "load_ns": 10, "first_query_ns": 5, "warmup_ns": 3, "warmup_queries": 4,
        "warmup_level": True, "starts": [], "memory": {"peak_bytes": 100},
        "energy": {"reason": "no counter"}, "outputs": outputs, "providers": ["null"],
        "affinity": [], "engine_build_ns": None,
        "placement": {"nodes": 4, "on_provider": 3, "elsewhere": {"Unique": 1}},
    }  # fmt: skip


def _yardstick(request: dict[str, Any]) -> list[Any]:
    return [] if request["yardstick"] is None else [request["yardstick"]]


def events(operation: str, args: dict[str, Any]) -> list[Any]:
    """What an honest worker tells before its answer."""
    if operation != "round":
        return []
    trial = args["request"]["jobs"][0]["trial"]
    return [{"stage": stage, "trial": trial, "done": 0, "of": 2}
            for stage in ("load", "measure", "predict")]  # fmt: skip
