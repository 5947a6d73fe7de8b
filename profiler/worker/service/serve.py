"""The supervisor: answers the host, starts runners, and never outlives the host.

Operations: hello, facts, have (which blobs are missing), round, trace, predict, probe, forget
(blobs that are not needed again), release (what predict and probe started). A reader thread
watches the stream: its end, or silence where pings should be, ends the whole process group even
in the middle of a round. A dead link does not always close the stream.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Optional

from profiler.wire.channel import Channel
from profiler.wire.codec import decode, encode
from profiler.wire.hashes import sha_of
from profiler.wire.lines import EndOfStream, Garbled, Silence
from profiler.wire.messages import GONE, PROTOCOL, SILENCE_S, Job, RoundRequest, TraceRequest
from profiler.worker.blobs import BlobFolder, Held
from profiler.worker.instruments import facts
from profiler.worker.isolated import private
from profiler.worker.measuring import tracing
from profiler.worker.measuring.answers import Answers
from profiler.worker.measuring.rounds import Round
from profiler.worker.service import presence
from profiler.worker.service.turn import Turn

OPERATIONS = (
    "hello", "facts", "have", "round", "trace", "predict", "probe", "forget", "release",
)  # fmt: skip
USING_FILES = ("round", "trace", "predict", "probe")

LONGEST_SILENCE_S = 3600.0
"""A host may ask for more patience, but not for a worker that never ends."""


class Server:
    """One host's session on this device."""

    def __init__(self, channel: Channel, home: Path) -> None:
        self.channel, self.home = channel, home
        self.blobs = BlobFolder(home / "blobs")
        self.out = BlobFolder(Path(tempfile.mkdtemp(prefix="out-", dir=str(home))))
        presence.introduce(self.out.folder)
        self.held = Held(self.blobs, home, self.out.folder)
        self.answers = Answers(home, self.out)
        self.turn = Turn(home, lambda event: channel.send({"event": event}))
        self.inbox: queue.Queue[Optional[dict[str, Any]]] = queue.Queue()

    def watch(self) -> None:
        """Reader thread: queue messages; when the host is gone, end everything at once."""
        silence_s = SILENCE_S
        while True:
            try:
                message = self.channel.receive(silence_s)
            except (EndOfStream, Silence, Garbled, OSError):
                self.end()
                return
            if message.get("op") != "ping":
                self.inbox.put(message)
                continue
            said = message.get("silence_s")
            if isinstance(said, (int, float)) and 0 < said <= LONGEST_SILENCE_S:
                silence_s = said

    def end(self, *_: object) -> None:
        """Leave nothing behind. Also what SIGTERM does, by which a host ends its lost worker."""
        self.clean()
        # Runners are in our process group: nothing of ours may burn the device.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def clean(self) -> None:
        """Remove this session's output folder."""
        shutil.rmtree(str(self.out.folder), ignore_errors=True)

    def hello(self, owner: str = "") -> dict[str, Any]:
        """Protocol version, the hash of this very archive, and where outputs lie.

        `owner` is the host's session, which may have had a worker here before.
        """
        self.turn.owner = owner
        return {
            "protocol": PROTOCOL,
            "worker": sha_of(Path(sys.argv[0])),
            "pid": os.getpid(),
            "out": str(self.out.folder),
        }

    def facts(self, plugin: Optional[str] = None) -> dict[str, Any]:
        """What is found on this device; a plug-in provider is looked at in a process of its own."""
        return facts.gather(plugin, self.home)

    def have(self, shas: list[str]) -> dict[str, Any]:
        """Names of blobs that must still be staged; this session needs all that are asked for."""
        for sha in shas:
            self.blobs.path(sha)  # a name is checked before anything is called by it
        self.held.hold(shas)
        return {"missing": self.blobs.missing(shas)}

    def round(self, request: dict[str, Any]) -> dict[str, Any]:
        """Measure one round."""
        wanted = decode(RoundRequest, request)

        def say(event: dict[str, Any]) -> None:
            self.channel.send({"event": event})

        with self.turn:
            return {"repetitions": encode(Round(wanted, self.home, self.out, say).run())}

    def trace(self, request: dict[str, Any]) -> dict[str, Any]:
        """Profile a few queries of one job, untimed."""
        wanted = decode(TraceRequest, request)
        with self.turn:
            found: dict[str, Any] = encode(tracing.trace(wanted, self.home, self.out))
        return found

    def predict(self, job: dict[str, Any], inputs: dict[str, str], limit_ns: int) -> dict[str, Any]:
        """Predictions of a job's session on other rows."""
        wanted = decode(Job, job)
        with self.turn:
            found: dict[str, Any] = encode(self.answers.predict(wanted, inputs, limit_ns))
        return found

    def probe(self, job: dict[str, Any], case: str, limit_ns: int) -> dict[str, Any]:
        """What a job's session makes of a query that it must not be asked."""
        wanted = decode(Job, job)
        with self.turn:
            found: dict[str, Any] = encode(self.answers.probe(wanted, case, limit_ns))
        return found

    def release(self) -> dict[str, Any]:
        """End what predict and probe started."""
        self.answers.release()
        return {}

    def forget(self, shas: list[str]) -> dict[str, Any]:
        """Remove blobs that this session needs no more, where no other session does."""
        for path in (self.out.path(sha) for sha in shas):
            path.unlink(missing_ok=True)
        for sha in self.held.let_go(shas):
            self.blobs.path(sha).unlink(missing_ok=True)
        return {}

    def serve(self) -> None:
        """Answer until the stream ends, which ends this process."""
        threading.Thread(target=self.watch, daemon=True).start()
        while True:
            message = self.inbox.get()
            assert message is not None
            operation, arguments = message.get("op"), message.get("args", {})
            reply: dict[str, Any] = {"id": message.get("id")}
            try:
                if operation not in OPERATIONS:
                    raise ValueError(f"unknown operation {operation!r}")
                reply.update(ok=True, result=getattr(self, operation)(**arguments))
            except Exception as error:  # the host must learn of every failure
                reply.update(ok=False, error=private(f"{type(error).__name__}: {error}"))
            if operation in USING_FILES and self.held.taken():
                # Whatever came of it: the host sends them again and asks again.
                reply = {"id": message.get("id"), "ok": False, "error": GONE}
            self.channel.send(reply)


def remove_stale_outputs(home: Path) -> None:
    """Output folders of sessions that were cut off more than a day ago."""
    import time

    for folder in home.glob("out-*"):
        try:
            if time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(str(folder), ignore_errors=True)
        except OSError:
            continue


def main(home: Path) -> None:
    """Serve a host until it goes away."""
    channel = Channel.take_over_stdio()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    presence.enter(home)
    remove_stale_outputs(home)
    server = Server(channel, home)
    signal.signal(signal.SIGTERM, server.end)
    server.serve()
