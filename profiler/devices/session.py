"""A conversation with one device: hello, facts, stage, rounds."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar

from profiler.errors import NoAnswer, ProfilerError, TransientError, TransportError, WorkerError
from profiler.places import cache_folder
from profiler.schema.device import facts, replies
from profiler.schema.device.replies import Ended, Listener, Reply
from profiler.schema.device.target import Target
from profiler.transport import connect, endings, payload
from profiler.transport.base import Pipe, Transport
from profiler.transport.travel import Tell, silent
from profiler.wire.codec import DecodeError, decode, encode
from profiler.wire.hashes import sha_of
from profiler.wire.lines import EndOfStream, Garbled, Silence, pack
from profiler.wire.messages import (
    GONE,
    PING_S,
    SILENCE_S,
    Answer,
    Job,
    Probed,
    Repetition,
    RoundRequest,
    Trace,
    TraceRequest,
)
from profiler.wire.outside import sha_name, tidy

Event = Callable[[dict[str, Any]], None]
T = TypeVar("T")
_ANSWER_S = _READ_S = 120.0
_LOAD_S = 300.0
"""predict, probe: import and load of a runner that is not there yet, each 120 s at most"""
_STOP_S = 2.0
PREDICTIONS_BYTES = 64 * 2**30
"""Most that is taken of one output; predictions have no size that is known before."""
TRACE_BYTES = 2**30
"""`explain.EVENTS` aims at a sixtieth of it."""
_ERROR_CHARACTERS = 500
_LAST_WORDS_S = 1.0
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Waits between attempts after the link broke: two minutes, a reboot of a small board."""
FIRST_ATTEMPTS = 3
"""Attempts at the first connection: a device that was never there is more likely off or misnamed
than about to come back, and somebody is waiting for the answer."""


class Session:
    """Use as a context manager; the worker ends with it."""

    def __init__(
        self,
        transport: Transport,
        *,
        plugin: Optional[str] = None,
        backoff_s: Optional[tuple[float, ...]] = None,
        wheels: Optional[Path] = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`wheels` is a cache folder: a device without numpy or onnxruntime gets them from there.

        None leaves the device as it is. `note` is told when the first connection is tried again.
        """
        self._transport, self._plugin = transport, plugin
        self._wheels = wheels
        self._shipped: dict[str, str] = {}
        self._backoff_s = BACKOFF_S if backoff_s is None else backoff_s
        self._note = note
        self._pipe: Optional[Pipe] = None
        self._writing = threading.Lock()
        self._stopped = threading.Event()
        self._next_id = 0
        self._owner = secrets.token_hex(8)
        """by which a worker knows an earlier one of this session, which it need not wait for"""
        self._told = self._reached = False
        self._staged: set[str] = set()
        self._hashed: dict[tuple[Path, int, int, int], str] = {}
        self._out, self.sent_bytes = "", 0  # sent: of a worker that was not there
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Session:
        try:
            self._try(lambda: None, self._note, self._backoff_s[: FIRST_ATTEMPTS - 1])
        except BaseException:
            self._transport.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._let_go()
        self._transport.close()

    def stop(self) -> None:
        """From any thread: whatever this session is doing fails at once and isn't tried again."""
        self._stopped.set()
        self._transport.stop()
        pipe = self._pipe
        if pipe is None:
            return
        # The end of the stream lets the worker clean up; over a dead link nothing but this helps.
        killer = threading.Timer(_STOP_S, pipe.kill)
        killer.daemon = True
        killer.start()
        if self._writing.acquire(timeout=_STOP_S):
            try:
                pipe.finish()
            except TransportError:
                pass
            finally:
                self._writing.release()

    def _open(self, provide: bool = True) -> None:
        data, sha = payload.build()
        try:
            self._begin(sha)
        except TransportError as error:
            # Most devices have the worker from last time: asking first would cost the others, too.
            if type(error) is not TransportError:
                raise
            self._let_go()
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder) / "worker.pyz"
                archive.write_bytes(data)
                self._transport.stage(archive, sha)
            self.sent_bytes = len(data)
            self._begin(sha)
        bare = not (self.facts["numpy"] and self.facts["onnxruntime"])
        if self._wheels is not None and bare and provide:
            self._let_go()
            self._note("fetching numpy and onnxruntime, as a device has none that works")
            self._shipped = self._transport.provide(self._wheels)
            self._open(provide=False)

    def _begin(self, sha: str) -> None:
        """Start the worker that lies on the device and get to know it.

        Raises a plain TransportError when it is not there, or not whole.
        """
        self._pipe = pipe = self._transport.spawn(sha)
        try:
            if self._stopped.is_set():  # `stop` saw no stream yet
                raise TransientError("stopped while it connected")
            reply = self._ask("hello", owner=self._owner)
            with replies.strict("hello"):
                hello = replies.hello(reply)
            if hello.worker != sha:
                raise TransportError("the worker that answered is not the one that was sent")
            self._out, self._reached = hello.out, True
            threading.Thread(target=self._ping, args=(pipe,), daemon=True).start()
            reply = self._ask("facts", plugin=self._plugin)
            with replies.strict("facts"):
                self.facts = {**facts.checked(reply), "worker": sha}
            if self._shipped:
                self.facts["shipped"] = self._shipped
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        pipe, self._pipe = self._pipe, None
        self._staged.clear()
        if pipe is not None:
            with self._writing:
                pipe.close()

    def _ping(self, pipe: Pipe) -> None:
        """Tell the worker that its host is alive, until another worker takes its place."""
        while not self._stopped.wait(PING_S):
            with self._writing:
                if self._pipe is not pipe:
                    return
                try:
                    pipe.send(pack({"op": "ping", "silence_s": SILENCE_S}))
                except TransportError:
                    return  # who reads the answers learns of it, too

    def steady(self, work: Callable[[], T], tell: Callable[[str], None]) -> T:
        """Do `work`; when the link breaks, wait longer each time, connect anew and do it again.

        `work` must stage what it needs. Raises the last TransientError when nothing helped.
        """
        return self._try(work, tell, self._backoff_s)

    def _try(
        self, work: Callable[[], T], tell: Callable[[str], None], waits_s: tuple[float, ...]
    ) -> T:
        for wait_s in (*waits_s, None):
            try:
                if self._pipe is None:
                    self._open()
                return work()
            except TransientError as error:
                self._let_go()
                self._transport.drop()
                hopeless = isinstance(error, NoAnswer) and not self._reached
                if wait_s is None or hopeless or self._stopped.is_set():
                    raise
                tell(f"{error.message}; trying again in {wait_s:g} s")
                self._stopped.wait(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def stage(self, files: Iterable[Path], called: Optional[Mapping[Path, str]] = None) -> None:
        """Bring files to the device that are not there yet; `called`: what a person calls them."""
        shas = {self._sha_once(path): path for path in files}
        wanted = [sha for sha in shas if sha not in self._staged]
        if wanted:
            for sha in self.missing(wanted):
                self._transport.stage(shas[sha], sha, (called or {}).get(shas[sha], ""))
            self._staged.update(wanted)

    def missing(self, shas: list[str]) -> tuple[str, ...]:
        """Those that are not on the device, or not whole."""
        reply = self._ask("have", shas=shas)
        with replies.strict("have"):
            return replies.missing(reply, shas)

    def _sha_once(self, path: Path) -> str:
        """A file's hash, computed again only when the file has changed: this comes every round."""
        state = path.stat()
        key = (path, state.st_size, state.st_mtime_ns, state.st_ino)
        if key not in self._hashed:
            self._hashed[key] = sha_of(path)
        return self._hashed[key]

    def round(self, request: RoundRequest, event: Event) -> tuple[Repetition, ...]:
        """Run one round on the device; events tell how far it is."""
        # Between two progress lines lies at most a load, a warm-up and a block's timeout.
        silence_s = 60 + 21 * (request.query_timeout_ns + request.load_timeout_ns) / 1e9
        listener = Listener([job.trial for job in request.every_job], replies.longest_s(request))
        reply = self._ask("round", event, timeout_s=silence_s, listener=listener,
                          request=encode(request))  # fmt: skip
        with replies.strict("round"):
            return replies.repetitions(reply, request)

    def trace(self, request: TraceRequest) -> Trace:
        """Profile a few queries of one job on the device."""
        silence_s = 60 + (2 * request.load_timeout_ns + 3 * request.query_timeout_ns
                          + request.most_ns) / 1e9  # fmt: skip
        reply = self._ask("trace", timeout_s=silence_s, request=encode(request))
        with replies.strict("trace"):
            return replies.trace(reply, request)

    def predict(self, job: Job, inputs: dict[str, str], limit_ns: int) -> Answer:
        """Predictions of a job's session on other, staged rows (input name -> sha)."""
        reply = self._ask("predict", timeout_s=_LOAD_S + limit_ns / 1e9, job=encode(job),
                          inputs=inputs, limit_ns=limit_ns)  # fmt: skip
        with replies.strict("predict"):
            return replies.answer(reply)

    def probe(self, job: Job, case: str, limit_ns: int) -> Probed:
        """What a job's session makes of a query that it must not be asked."""
        reply = self._ask("probe", timeout_s=_LOAD_S + limit_ns / 1e9, job=encode(job), case=case,
                          limit_ns=limit_ns)  # fmt: skip
        with replies.strict("probe"):
            return replies.probed(reply, case)

    def release(self) -> None:
        """End the runners that `predict` and `probe` started."""
        self._ask("release")

    def forget(self, shas: Iterable[str]) -> None:
        """Remove blobs from the device that are not needed again."""
        gone = list(shas)
        self._ask("forget", shas=gone)
        self._staged.difference_update(gone)

    def fetch(self, sha: str, to: Path, limit_bytes: int = PREDICTIONS_BYTES) -> None:
        """Bring an output blob here, or nothing at all.

        Raises TransportError when its content is not its name, or is more than `limit_bytes`.
        """
        try:
            self._transport.fetch(self._out, sha_name(sha), to, limit_bytes)
            if sha_of(to) != sha:
                raise TransientError(f"{to.name}: damaged on the way from the device")
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    def _ask(
        self,
        operation: str,
        event: Optional[Event] = None,
        timeout_s: float = _ANSWER_S,
        listener: Optional[Listener] = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """The answer as plain data with nothing but printable text in it, not checked any further.

        `timeout_s` bounds the time to the answer, or from one event of `listener` to the next.
        """
        pipe = self._pipe
        assert pipe is not None
        self._next_id += 1
        read_by_s = time.monotonic() + _READ_S
        with self._writing, pipe.at_most(_READ_S):
            try:
                pipe.send(pack({"id": self._next_id, "op": operation, "args": arguments}))
            except TransportError:
                self._last_words(pipe)
                if time.monotonic() >= read_by_s:
                    raise TransientError(f"{operation!r} was not read in {_READ_S:g} s") from None
                raise
        listener = listener or Listener()
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                message = tidy(pipe.reader.read(max(0.0, deadline_s - time.monotonic())))
            except EndOfStream:
                raise pipe.failure() from None
            except Silence:
                raise TransientError(f"no answer to {operation!r} in {timeout_s:g} s") from None
            except Garbled as error:
                raise TransientError(f"{operation}: the device sent {error}") from None
            with replies.strict(operation):
                if "ended" in message:
                    raise endings.ended(decode(Ended, message).ended, pipe)
                if "event" not in message:
                    reply = decode(Reply, message)
                    replies.same("id", self._next_id, reply.id)
                    if reply.result is None:
                        raise _failed(operation, str(reply.error))
                    return reply.result
                replies.same("keys", ["event"], [*message])
                listener.take(message["event"])
            deadline_s = time.monotonic() + timeout_s
            self._tell(message["event"], event)

    def _tell(self, said: dict[str, Any], event: Optional[Event]) -> None:
        if event is not None:
            event(said)
        elif "waiting" in said and not self._told:
            self._told = True
            self._note(replies.waiting(said))

    @staticmethod
    def _last_words(pipe: Pipe) -> None:
        """Nobody reads what is sent: raise what the device said about it, if it did."""
        deadline_s = time.monotonic() + _LAST_WORDS_S
        try:
            while (left_s := deadline_s - time.monotonic()) > 0:
                message = pipe.reader.read(left_s)
                if "ended" in message:
                    raise endings.ended(decode(Ended, tidy(message)).ended, pipe)
        except (EndOfStream, Silence, Garbled, DecodeError):
            return


def open_session(
    target: Target,
    note: Callable[[str], None] = lambda text: None,
    tell: Tell = silent,
    *,
    provide: bool = True,
) -> Session:
    """A session for a target, to be entered.

    `note` is told when packages are brought to it and when the connection is tried again, `tell`
    while bytes travel.

    `provide=False` leaves a device that lacks numpy and onnxruntime as it is. Raises
    EnvironmentMissing when a target's own packages can't be had, TransportError.
    """
    bring = provide and target.backend == "onnxruntime"
    return Session(
        connect(target, note, tell),
        plugin=target.plugin,
        wheels=cache_folder() / "wheels" if bring else None,
        note=note,
    )


def _failed(operation: str, error: str) -> ProfilerError:
    if error == GONE:
        return TransientError(f"{operation}: {GONE}")
    full = os.strerror(errno.ENOSPC) in error
    hint = "free some space there, then give the same command: it goes on from there"
    return WorkerError(f"{operation}: {error[:_ERROR_CHARACTERS]}", hint=hint if full else None)
