"""One round: a fresh process per job, all resident, measured in turns in cycles, seeded.

Interleaving cancels the machine's drift; fresh processes sample the bias each process has from
its memory layout (Kalibera & Jones 2013). Exactly one runner is at work at any moment.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Optional, TypeVar

from profiler.wire import disturbance
from profiler.wire.codec import decode, encode
from profiler.wire.messages import (
    Block,
    Energy,
    Job,
    Memory,
    Placement,
    Repetition,
    RoundRequest,
    Start,
)
from profiler.wire.scenarios import known
from profiler.worker.blobs import BlobFolder
from profiler.worker.instruments import cpus, page_cache
from profiler.worker.instruments.pools import stopped_between
from profiler.worker.instruments.thermal import Thermometer
from profiler.worker.measuring import seldom
from profiler.worker.measuring.child import NO_SPACE, Child, RunnerFailed
from profiler.worker.measuring.drivers import Blocks, make_driver

_IMPORT_TIMEOUT_NS = 120_000_000_000
SAY_EVERY_NS = 250_000_000
WORKING = ("load", "warm", "block")
"""commands that leave a pool of threads spinning"""


class Slot:
    """One job's state in the round."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.child: Optional[Child] = None
        self.facts: dict[str, Any] = {}
        self.fresh = known(job.scenario).fresh
        """whether each block is a process of its own"""
        self.stops = stopped_between(job)
        """whether its process is stopped when it has answered"""
        self.planned: Blocks
        self.typical_ns = 1
        """a query in the warm-up"""
        self.repeated = 0
        """disturbed blocks that were measured once more"""
        self.services = array("q")
        self.blocks: list[Block] = []
        self.starts: list[Start] = []
        self.latencies = array("q")
        self.failed: Optional[RunnerFailed] = None

    def ask(self, operation: str, timeout_ns: int, **arguments: Any) -> dict[str, Any]:
        """Send this job's runner a command and wait for its answer."""
        assert self.child is not None
        reply = self.child.ask(operation, timeout_ns, **arguments)
        if self.stops and operation in WORKING:
            self.child.stop()
        return reply

    def plan(self, request: RoundRequest, typical_ns: int) -> None:
        """Which blocks this job gets, by its scenario's driver."""
        self.planned = make_driver(self.job).plan(request, typical_ns)

    def take(self, block: Block, reply: dict[str, Any]) -> None:
        """Keep a block with what the runner's driver counted in it."""
        self.blocks.append(block)
        self.latencies.extend(reply["latencies"])
        self.services.extend(reply["services"])
        self.starts.extend(decode(Start, one) for one in reply["starts"])


Turn = TypeVar("Turn", bound=Hashable)


def in_cycles(counts: Mapping[Turn, int], order: random.Random) -> list[Turn]:
    """Who is measured when: each once a cycle, in random order, so many times as `counts` says.

    Those with fewer blocks than others sit out cycles, evenly. So a trial has every other near it
    in time, all along the round: what they are compared by.
    """
    most = max(counts.values(), default=0)
    phases = {one: order.random() for one in counts}
    turns: list[Turn] = []
    for cycle in range(most):
        due = [
            one
            for one, count in counts.items()
            if int(phases[one] + (cycle + 1) * count / most)
            > int(phases[one] + cycle * count / most)
        ]
        order.shuffle(due)
        turns += due
    return turns


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
        self.slots = [Slot(job) for job in request.every_job]
        self.yardstick = None if request.yardstick is None else self.slots[-1]
        self.heat = Thermometer()
        self.said: dict[str, Any] = {}

    def run(self) -> tuple[Repetition, ...]:
        """All repetitions of the round, in the order of the request's `every_job`."""
        try:
            self._share_cpu()
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
            if failed.reason == NO_SPACE:  # the round is to be done again, not the trial blamed
                raise
            slot.failed = failed
            if slot.child is not None:
                slot.child.kill()

    def _share_cpu(self) -> None:
        """Runners of one thread that may use any CPU are kept on one, the same for all."""
        solo = [slot for slot in self.slots if cpus.solo(slot.job)]
        cpu = cpus.draw_now(self.request.seed) if solo else None
        if cpu is not None:
            for slot in solo:
                slot.job = replace(slot.job, affinity=(cpu,))

    def _start(self) -> None:
        """Processes import side by side; sessions load one at a time, so load times are clean."""
        resident = [slot for slot in self.slots if not slot.fresh]
        for slot in resident:
            self._spawn(slot)
        for slot in resident:
            self._try(slot, self._assign)
        for slot in resident:
            if slot.failed is None:
                self._try(slot, self._await_ready)
        starting = [slot for slot in resident if slot.failed is None]
        self.order.shuffle(starting)
        for done, slot in enumerate(starting):
            self.say({"stage": "load", "trial": slot.job.trial, "done": done, "of": len(starting)})
            self._try(slot, self._come_up)

    def _spawn(self, slot: Slot) -> None:
        name = f"runner-{self.slots.index(slot)}"
        slot.child = Child(self.home, self.out.folder, name, slot.job.memory_limit_bytes)

    def _assign(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.child.send("job", job=encode(slot.job), out=str(self.out.folder))

    def _await_ready(self, slot: Slot) -> None:
        assert slot.child is not None
        slot.child.answer(_IMPORT_TIMEOUT_NS)

    def _come_up(self, slot: Slot) -> None:
        """Load, warm up until queries are level, and plan by how long they take then."""
        request = self.request
        if slot is self.yardstick:  # planned when it is known how long the others take
            slot.typical_ns = self._load(slot, 0, seldom.WARM_NS, seldom.SHORTEST_NS)
            return
        least_ns, most_ns = request.warmup_ns, request.max_warmup_ns
        slot.plan(request, self._load(slot, least_ns, most_ns, request.block_ns))

    def _load(self, slot: Slot, least_ns: int, most_ns: int, block_ns: int) -> int:
        """Load and warm up; returns the typical time of a query."""
        request = self.request
        slot.facts = slot.ask("load", request.load_timeout_ns)
        warm = slot.ask(
            "warm",
            request.max_warmup_ns + request.query_timeout_ns,
            least_ns=least_ns,
            most_ns=most_ns,
            block_ns=block_ns,
        )
        typical_ns = int(warm.pop("typical_ns"))
        slot.facts.update(warm)
        return typical_ns

    def _measure(self) -> None:
        """All blocks of all jobs, in turns."""
        for slot in self._alive():
            if slot.fresh:
                slot.plan(self.request, typical_ns=1)
        self._plan_yardstick()
        turns = in_cycles({slot: slot.planned.count for slot in self._alive()}, self.order)
        said_ns = 0
        for position, slot in enumerate(turns):  # it grows as disturbed blocks are repeated
            now_ns = time.monotonic_ns()
            if now_ns - said_ns > SAY_EVERY_NS:
                said_ns = now_ns
                trial = slot.job.trial
                self.said = {"stage": "measure", "trial": trial, "done": position, "of": len(turns)}
                self.say(self.said)
            if slot.failed is not None:
                continue
            step = self._fresh_block if slot.fresh else self._block
            self._try(slot, partial(step, position=position))
            if slot.blocks and slot.blocks[-1].disturbed and slot.repeated < slot.planned.spare:
                slot.repeated += 1
                soon = position + 1 + self.order.randrange(len(self.slots) + 1)
                turns.insert(min(soon, len(turns)), slot)

    def _plan_yardstick(self) -> None:
        """By how long the others take; beside nothing it tells nothing."""
        one = self.yardstick
        if one is None or one.failed is not None:
            return
        others = [slot.planned for slot in self._alive() if slot is not one]
        if others:
            one.planned = seldom.plan(self.request, one.typical_ns, others)
        else:
            self._try(one, self._beside_nothing)

    def _beside_nothing(self, slot: Slot) -> None:
        raise RunnerFailed("not measured", "every other trial failed")

    def _fresh_block(self, slot: Slot, position: int) -> None:
        """One fresh process: from an unloaded model to level queries, then its block."""
        self._spawn(slot)
        self._assign(slot)
        self._await_ready(slot)
        self._set_cache(slot.job)
        request = self.request
        self._load(slot, 0, request.warmup_ns, request.block_ns // 4)
        reply = self._ask_block(slot, position)
        slot.facts.update(slot.ask("finish", _IMPORT_TIMEOUT_NS))
        if not slot.blocks:
            self._predict(slot)
        slot.take(decode(Block, reply["block"]), reply)
        assert slot.child is not None
        slot.child.close()
        slot.child = None

    def _set_cache(self, job: Job) -> None:
        """Bring the model's files into the page cache, or out of it, as the job wants it."""
        blobs = BlobFolder(self.home / "blobs")
        files = [blobs.path(sha) for sha in (job.artifact, *job.data) if sha is not None]
        if job.cache == "warm":
            page_cache.fill(files)
            return
        try:
            if not files:
                raise page_cache.NotAvailable("the backend loads no model file")
            page_cache.drop(files)
        except page_cache.NotAvailable as error:
            raise RunnerFailed("not available", f"cold page cache: {error}") from None

    def _block(self, slot: Slot, position: int) -> None:
        """One block of a resident runner, with the heat and the noise around it."""
        self.heat.wait(lambda celsius: self.say({**self.said, "cooling": celsius}))
        before = self.heat.celsius()
        reply = self._ask_block(slot, position)
        block = decode(Block, reply["block"])
        heat = self.heat.read()
        block = replace(block, thermal=heat and replace(heat, before_celsius=before))
        slot.take(replace(block, disturbed=disturbance.of_block(block)), reply)

    def _ask_block(self, slot: Slot, position: int) -> dict[str, Any]:
        planned = slot.planned
        expected_ns = int((planned.lead + planned.queries) * planned.period_ns)
        return slot.ask(
            "block",
            self.request.query_timeout_ns + 10 * expected_ns,
            position=position,
            lead=planned.lead,
            count=planned.queries,
            seed=(self.request.seed << 16) + len(slot.blocks),
        )

    def _finish(self, slot: Slot) -> None:
        if slot.child is None:  # cold starts have told all
            return
        slot.facts.update(slot.ask("finish", _IMPORT_TIMEOUT_NS))
        self._predict(slot)

    def _predict(self, slot: Slot) -> None:
        if slot.job.trial in self.request.predict:
            self.say({"stage": "predict", "trial": slot.job.trial, "done": 0, "of": 1})
            slot.facts.update(slot.ask("predict", 20 * self.request.query_timeout_ns))

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
        placement, memory = facts.pop("placement"), decode(Memory, facts.pop("memory"))
        return Repetition(
            trial=slot.job.trial,
            round=self.request.round,
            status="ok",
            latencies=self.out.add(_little_endian(slot.latencies)),
            services=self.out.add(_little_endian(slot.services)) if slot.services else None,
            blocks=tuple(slot.blocks),
            starts=tuple(slot.starts),
            memory=memory,
            energy=decode(Energy, facts.pop("energy")),
            providers=tuple(facts.pop("providers")),
            affinity=slot.job.affinity,
            placement=None if placement is None else decode(Placement, placement),
            **facts,
        )


def _little_endian(values: array[int]) -> bytes:
    import sys

    if sys.byteorder == "big":
        values = array("q", values)
        values.byteswap()
    return values.tobytes()
