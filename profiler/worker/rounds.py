"""One round: a fresh process per job, all resident, measured in turns in seeded random order.

Interleaving cancels the machine's drift; fresh processes sample the bias each process has from
its memory layout (Kalibera & Jones 2013). Exactly one runner is at work at any moment.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Optional

from profiler.schema.codec import decode, encode
from profiler.schema.wire import Block, Energy, Job, Memory, Repetition, RoundRequest
from profiler.worker.blobs import BlobFolder
from profiler.worker.child import Child, RunnerFailed

_IMPORT_TIMEOUT_NS = 120_000_000_000
LEAD_QUERIES = 2
"""Untimed queries at the head of a block: caches were used by others since the last one."""
LEAD_SHARE = 0.1
MAX_BLOCKS = 64
SAY_EVERY_NS = 250_000_000


class Slot:
    """One job's state in the round."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.child: Optional[Child] = None
        self.facts: dict[str, Any] = {}
        self.per_block, self.blocks_wanted, self.typical_ns = 1, 0, 1
        self.blocks: list[Block] = []
        self.latencies = array("q")
        self.failed: Optional[RunnerFailed] = None

    def plan(self, request: RoundRequest) -> None:
        """How many queries make a block, and how many blocks this job gets."""
        self.per_block = max(1, min(10_000, request.block_ns // max(1, self.typical_ns)))
        block_ns = self.per_block * self.typical_ns
        wanted = round(request.measure_ns / max(1, block_ns))
        self.blocks_wanted = max(request.min_blocks, min(MAX_BLOCKS, wanted))


class Round:
    """Runs a RoundRequest; tells progress through `say`."""

    def __init__(
        self,
        request: RoundRequest,
        home: Path,
        out: BlobFolder,
        say: Callable[[dict[str, Any]], None],
    ) -> None:
        self.request, self.home, self.out, self.say = request, home, out, say
        self.order = random.Random(request.seed)
        self.slots = [Slot(job) for job in request.jobs]

    def run(self) -> tuple[Repetition, ...]:
        """All repetitions of the round, in the order of the request."""
        try:
            self._start()
            self._measure()
            for slot in self._alive():
                self._try(slot, self._finish)
        finally:
            for slot in self.slots:
                if slot.child is not None:
                    slot.child.close()
        return tuple(self._record(slot) for slot in self.slots)

    def _alive(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.failed is None]

    def _try(self, slot: Slot, step: Callable[[Slot], None]) -> None:
        try:
            step(slot)
        except RunnerFailed as failed:
            slot.failed = failed
            if slot.child is not None:
                slot.child.kill()

    def _start(self) -> None:
        """Processes import side by side; sessions load one at a time, so load times are clean."""
        for index, slot in enumerate(self.slots):
            slot.child = Child(self.home, self.out.folder, f"runner-{index}")
        for slot in self.slots:
            self._try(slot, self._assign)
        for slot in self.slots:
            if slot.failed is None:
                self._try(slot, self._await_ready)
        starting = self._alive()
        self.order.shuffle(starting)
        for done, slot in enumerate(starting):
            self.say({"stage": "load", "trial": slot.job.trial, "done": done, "of": len(starting)})
            self._try(slot, self._load)

    def _assign(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.child.send("job", job=encode(slot.job), out=str(self.out.folder))

    def _await_ready(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.child.answer(_IMPORT_TIMEOUT_NS)

    def _load(self, slot: Slot) -> None:
        assert slot.child is not None
        request = self.request
        slot.facts = slot.child.ask("load", request.load_timeout_ns)
        warm = slot.child.ask(
            "warm",
            request.max_warmup_ns + request.query_timeout_ns,
            least_ns=request.warmup_ns,
            most_ns=request.max_warmup_ns,
            block_ns=request.block_ns,
        )
        slot.typical_ns = warm.pop("typical_ns")
        slot.facts.update(warm)
        slot.plan(request)

    def _measure(self) -> None:
        """All blocks of all jobs in one random order."""
        turns = [slot for slot in self._alive() for _ in range(slot.blocks_wanted)]
        self.order.shuffle(turns)
        said_ns = 0
        for position, slot in enumerate(turns):
            now_ns = time.monotonic_ns()
            if now_ns - said_ns > SAY_EVERY_NS:
                said_ns = now_ns
                trial = slot.job.trial
                self.say({"stage": "measure", "trial": trial, "done": position, "of": len(turns)})
            if slot.failed is None:
                self._try(slot, partial(self._block, position=position))

    def _block(self, slot: Slot, position: int) -> None:
        assert slot.child is not None
        lead = max(LEAD_QUERIES, int(slot.per_block * LEAD_SHARE))
        expected_ns = (lead + slot.per_block) * slot.typical_ns
        reply = slot.child.ask(
            "block",
            self.request.query_timeout_ns + 10 * expected_ns,
            position=position,
            lead=lead,
            count=slot.per_block,
        )
        slot.blocks.append(decode(Block, reply["block"]))
        slot.latencies.extend(reply["latencies"])

    def _finish(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.facts.update(slot.child.ask("finish", _IMPORT_TIMEOUT_NS))
        if slot.job.trial in self.request.predict:
            self.say({"stage": "predict", "trial": slot.job.trial, "done": 0, "of": 1})
            slot.facts.update(slot.child.ask("predict", 20 * self.request.query_timeout_ns))

    def _record(self, slot: Slot) -> Repetition:
        if slot.failed is not None:
            return Repetition(
                trial=slot.job.trial,
                round=self.request.round,
                status="failed",
                reason=slot.failed.reason,
                detail=slot.failed.detail,
            )
        facts = dict(slot.facts)
        return Repetition(
            trial=slot.job.trial,
            round=self.request.round,
            status="ok",
            latencies=self.out.add(_little_endian(slot.latencies)),
            blocks=tuple(slot.blocks),
            memory=decode(Memory, facts.pop("memory")),
            energy=decode(Energy, facts.pop("energy")),
            providers=tuple(facts.pop("providers")),
            **facts,
        )


def _little_endian(values: array[int]) -> bytes:
    import sys

    if sys.byteorder == "big":
        values = array("q", values)
        values.byteswap()
    return values.tobytes()
