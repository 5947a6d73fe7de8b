"""The supervisor's child: holds one session and measures. One process, one trial, one round.

It answers commands and otherwise blocks on a read, so that a paused runner burns no CPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import signal
import time
from array import array
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Optional

from profiler.wire.affinity import keep_to
from profiler.wire.channel import Channel
from profiler.wire.codec import decode, encode
from profiler.wire.lines import EndOfStream
from profiler.wire.messages import Job, Memory, Start
from profiler.wire.refusals import refusal
from profiler.worker.backends import Backend, issue, make
from profiler.worker.blobs import BlobFolder
from profiler.worker.instruments import counters, nvml
from profiler.worker.instruments.energy import CARD_UPDATE_NS, Account
from profiler.worker.instruments.pools import stopped_between
from profiler.worker.isolated import private
from profiler.worker.measuring.child import NO_SPACE
from profiler.worker.measuring.drivers import make_driver

LEVEL = 0.02
"""Warm-up ends when the last two blocks are not faster by more than this than the two before."""
LEVEL_BLOCKS = 4
TURN = 5
"""Queries of a turn while tracing."""
FULL = (errno.ENOSPC, errno.EDQUOT)
_PR_SET_PDEATHSIG = 1


class Runner:
    """Commands of one runner. Each returns what the supervisor is told."""

    def __init__(self, job: Job, blobs: BlobFolder, out: BlobFolder) -> None:
        self.job, self.blobs, self.out = job, blobs, out
        self.backend: Backend
        self.next_query = self.block_seed = 0
        self.driver = make_driver(job)
        self.started: Start
        self.memory: dict[str, Optional[int]] = {}
        self.gpu = None if job.gpu is None else nvml.gpu(job.gpu.select)
        self.energy = Account() if job.gpu is None else Account.of_card(self.gpu)

    def _rows(self, inputs: Optional[dict[str, str]] = None) -> dict[str, Any]:
        """The rows of the job, or others (input name -> sha)."""
        inputs = self.job.inputs if inputs is None else inputs
        if not inputs:
            return {}
        import numpy as np

        return {
            name: np.load(self.blobs.path(sha), mmap_mode="r", allow_pickle=False)
            for name, sha in inputs.items()
        }

    def load(self) -> dict[str, Any]:
        """Create the session, bind the rows, issue the first query."""
        job = self.job
        if job.affinity:
            keep_to(job.affinity)
        self.backend = make(job.backend)
        self.memory["imports_bytes"] = counters.resident_bytes()
        counters.reset_peak_memory()
        model = self.blobs.path(job.artifact) if job.artifact else None
        start = time.perf_counter_ns()
        self.backend.load(job, model)
        load_ns = time.perf_counter_ns() - start
        self.memory["loaded_bytes"] = counters.resident_bytes()
        self.backend.bind(self._rows(), job.batch, job.stack, job.concurrency)
        start = time.perf_counter_ns()
        issue(self.backend, 0, 1)
        first_query_ns = time.perf_counter_ns() - start
        self.memory["first_query_bytes"] = counters.resident_bytes()
        self.backend.prepare()
        self.next_query = 1
        self.started = Start(load_ns, first_query_ns, steady_ns=0)
        built = getattr(self.backend, "built_engine", lambda: False)()
        return {
            "engine_build_ns": load_ns + first_query_ns if built else None,
            "load_ns": load_ns,
            "first_query_ns": first_query_ns,
            "providers": list(self.backend.providers),
            "placement": encode(self.backend.placement()),
        }

    def warm(self, least_ns: int, most_ns: int, block_ns: int) -> dict[str, Any]:
        """Run until the block medians no longer fall. Returns the typical latency found.

        Not until they agree: on a machine that changes its speed they never do, and what warming
        up does is make queries faster.
        """
        start = time.perf_counter_ns()
        medians: list[float] = []
        queries, count, level = 0, 1, False
        while True:
            out = array("q", bytes(8 * count))
            self.backend.timed(self.next_query, out)
            self.next_query += count
            queries += count
            medians.append(median(out))
            spent = time.perf_counter_ns() - start
            recent = medians[-LEVEL_BLOCKS:]
            half = LEVEL_BLOCKS // 2
            level = len(recent) == LEVEL_BLOCKS and min(recent[half:]) >= (1 - LEVEL) * min(
                recent[:half]
            )
            if spent >= most_ns or (level and spent >= least_ns):
                break
            count = max(1, min(10_000, int(block_ns // max(1.0, medians[-1]))))
        if not stopped_between(self.job):
            counters.settle()
        typical_ns = max(1, int(median(medians[-LEVEL_BLOCKS:])))
        self.started = replace(self.started, steady_ns=typical_ns)
        return {
            "typical_ns": typical_ns,
            "warmup_ns": time.perf_counter_ns() - start,
            "warmup_queries": queries,
            "warmup_level": level,
        }

    def block(self, position: int, lead: int, count: int, seed: int) -> dict[str, Any]:
        """One timed block: `lead` queries refill caches and wake threads, then `count` timed."""
        self.block_seed = seed
        issue(self.backend, self.next_query, lead)
        self.next_query += lead
        return self.driver.block(self, position, count).told()

    def trace(self, warmup: int, queries: int, least: int, most_ns: int) -> dict[str, Any]:
        """Instead of load, warm and blocks: profiled and plain queries, in turns.

        The profiler can't be switched off for a while, so there are two sessions. Turns let a
        disturbance of the machine hit both alike.
        """
        traced, plain = make(self.job.backend), make(self.job.backend)
        for backend, traces in ((traced, True), (plain, False)):
            job = replace(self.job, trace=traces)
            backend.load(job, self.blobs.path(job.artifact) if job.artifact else None)
            backend.bind(self._rows(), job.batch, job.stack, job.concurrency)
            issue(backend, 0, warmup)
        plain.prepare()
        done, start = warmup, time.perf_counter_ns()
        latencies = array("q")
        while done - warmup < queries:
            enough = done - warmup >= least and time.perf_counter_ns() - start > most_ns
            if enough:
                break
            issue(traced, done, TURN)
            counters.settle()
            out = array("q", bytes(8 * TURN))
            issue(plain, done, 1)
            plain.timed(done, out)
            counters.settle()
            latencies.extend(out)
            done += TURN
        return {
            "blob": self.out.add(traced.end_trace()),
            "queries": done - warmup,
            "plain_ns": latencies.tolist(),
            "providers": list(plain.providers),
        }

    def predict(self, inputs: Optional[dict[str, str]] = None) -> dict[str, Any]:
        """Outputs on all rows (of the job, or others) by the session that was timed, as blobs."""
        import io

        import numpy as np

        outputs = {}
        for name, value in self._predicted(self._rows(inputs)).items():
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=False)
            outputs[name] = self.out.add(buffer.getvalue())
        return {"outputs": outputs}

    def _predicted(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Output name -> its values, or the masks that the job asks for, made query by query."""
        job = self.job
        if not job.mask:
            return self.backend.predict(rows, job.batch, job.stack)
        import numpy as np

        from profiler.worker.measuring.best_class import best_class, pieces

        found: dict[str, list[Any]] = {name: [] for name in job.mask}
        for piece in pieces(rows, job.batch):
            values = self.backend.predict(piece, job.batch, job.stack)
            for name, axis in job.mask.items():
                found[name].append(best_class(values[name], axis))
        return {name: np.concatenate(values) for name, values in found.items()}

    def probe(self, case: str) -> dict[str, Any]:
        """One query that must not be asked, and what came back."""
        from profiler.worker.measuring import probes

        return probes.probe(self.backend, self._rows(), self.job.batch, self.job.stack, case)

    def _some_queries(self) -> int:
        """Issue queries for a fifth of the card's update interval; returns how many."""
        first, end = self.next_query, time.perf_counter_ns() + CARD_UPDATE_NS // 5
        while time.perf_counter_ns() < end:
            issue(self.backend, self.next_query, 1)
            self.next_query += 1
        return self.next_query - first

    def finish(self) -> dict[str, Any]:
        """Memory figures of the whole life of this process, and the energy of its blocks."""
        self.memory["peak_bytes"] = counters.peak_bytes()
        self.memory["pss_bytes"] = counters.proportional_bytes()
        if self.job.gpu is not None and self.driver.one_by_one:
            self.energy.window(self._some_queries)
        return {
            "memory": encode(Memory(**self.memory)),
            "energy": encode(self.energy.total()),
        }


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as the supervisor is told of it; out of memory is its own reason."""
    text = f"{type(error).__name__}: {error}"
    low = text.lower()
    memory = isinstance(error, MemoryError) or any(
        sign in low
        for sign in ("bad_alloc", "bad allocation", "failed to allocate memory", "out of memory")
    )
    reason = "out of memory" if memory else "error"
    if isinstance(error, OSError) and error.errno in FULL:
        reason = NO_SPACE
    known = refusal(text)
    if known is not None:
        text = f"{known.message} ({known.hint})"
    return {"ok": False, "reason": reason, "detail": private(text)[:2000]}


def end_with_parent() -> None:
    """A supervisor killed while we compute can't tell us; its next one would measure beside us."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(home: Path) -> None:
    """Serve commands until the supervisor says goodbye or goes away."""
    end_with_parent()
    channel = Channel.take_over_stdio()
    runner: Optional[Runner] = None
    try:
        while True:
            message = channel.receive()
            operation, arguments = message["op"], message.get("args", {})
            if operation == "exit":
                # All is told. Taking the session and the interpreter down would take 0.02 s
                # of every trial in every round, 0.1 s on a busy machine.
                os._exit(0)
            try:
                if operation == "job":
                    out = BlobFolder(Path(arguments["out"]))
                    job = decode(Job, arguments["job"])
                    runner = Runner(job, BlobFolder(home / "blobs"), out)
                    make(job.backend)  # the import is not load time
                    gc.collect()
                    gc.freeze()
                    gc.disable()
                    reply: dict[str, Any] = {}
                else:
                    reply = getattr(runner, operation)(**arguments)
                channel.send({"ok": True, **reply})
            except (Exception, MemoryError) as error:
                channel.send(failure(error))
    except (EndOfStream, BrokenPipeError):
        return
