"""A conversation with one device: hello, facts, stage, rounds."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Optional

from profiler.errors import TransportError, WorkerError
from profiler.schema.codec import decode, encode
from profiler.schema.lines import EndOfStream, Silence, pack
from profiler.schema.wire import PROTOCOL, Repetition, RoundRequest, Trace, TraceRequest
from profiler.transport import payload
from profiler.transport.base import Pipe, Transport

Event = Callable[[dict[str, Any]], None]
_ANSWER_S = 120.0


class Session:
    """Use as a context manager; the worker ends with it."""

    def __init__(self, transport: Transport, *, plugin: Optional[str] = None) -> None:
        self._transport, self._plugin = transport, plugin
        self._pipe: Optional[Pipe] = None
        self._next_id = 0
        self._staged: set[str] = set()
        self._out = ""
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Session:
        data, sha = payload.build()
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "worker.pyz"
            archive.write_bytes(data)
            self._transport.stage(archive, sha)
        self._pipe = self._transport.spawn(sha)
        try:
            hello = self._ask("hello")
            if hello["protocol"] != PROTOCOL or hello["worker"] != sha:
                raise TransportError("the worker that answered is not the one that was sent")
            self._out = hello["out"]
            self.facts = {**self._ask("facts", plugin=self._plugin), "worker": sha}
        except BaseException:
            self._pipe.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._pipe is not None
        self._pipe.close()

    def stage(self, files: Iterable[Path]) -> None:
        """Bring files to the device that are not there yet; each is named by its content."""
        shas = {_sha(path): path for path in files}
        wanted = [sha for sha in shas if sha not in self._staged]
        if wanted:
            for sha in self._ask("have", shas=wanted)["missing"]:
                self._transport.stage(shas[sha], sha)
            self._staged.update(wanted)

    def round(self, request: RoundRequest, event: Event) -> tuple[Repetition, ...]:
        """Run one round on the device; events tell how far it is."""
        # Between two progress lines lies at most a load, a warm-up and a block's timeout.
        silence_s = 60 + 21 * (request.query_timeout_ns + request.load_timeout_ns) / 1e9
        reply = self._ask("round", event=event, timeout_s=silence_s, request=encode(request))
        return tuple(decode(Repetition, r, "repetition") for r in reply["repetitions"])

    def trace(self, request: TraceRequest) -> Trace:
        """Profile a few queries of one job on the device."""
        silence_s = 60 + (2 * request.load_timeout_ns + 3 * request.query_timeout_ns
                          + request.most_ns) / 1e9  # fmt: skip
        return decode(Trace, self._ask("trace", timeout_s=silence_s, request=encode(request)))

    def fetch(self, sha: str, to: Path) -> None:
        """Bring an output blob here. Raises TransportError when its content is not its name."""
        self._transport.fetch(self._out, sha, to)
        if _sha(to) != sha:
            to.unlink()
            raise TransportError(f"{to.name}: damaged on the way from the device")

    def _ask(
        self,
        operation: str,
        event: Optional[Event] = None,
        timeout_s: float = _ANSWER_S,
        **arguments: Any,
    ) -> dict[str, Any]:
        pipe = self._pipe
        assert pipe is not None
        self._next_id += 1
        pipe.send(pack({"id": self._next_id, "op": operation, "args": arguments}))
        while True:
            try:
                message = pipe.reader.read(timeout_s)
            except EndOfStream:
                raise TransportError(f"the worker ended: {pipe.ended()}") from None
            except Silence:
                raise TransportError(f"no answer to {operation!r} in {timeout_s:g} s") from None
            if "event" in message:
                if event is not None:
                    event(message["event"])
            elif message.get("id") == self._next_id:
                if not message["ok"]:
                    raise WorkerError(f"{operation}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
