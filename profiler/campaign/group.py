"""How far a group of trials is: recomputed from what is recorded, one round at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from profiler.analysis.trials.converge import Convergence, OpenLimits
from profiler.planning import rounds as length
from profiler.progress import Progress
from profiler.schema.device.replies import waiting
from profiler.schema.record.plan import Group, Trial
from profiler.schema.record.recorded import Entry, Round
from profiler.schema.study.study import Study
from profiler.store import timings as raw
from profiler.wire.messages import Repetition

STABLE = ("error", "not available")
"""Reasons which trying again can't mend."""
FAILURES_ALLOWED = 2
MOST_OPEN = 6
"""Trials of a round that is about open limits: the fastest come first, since one of them will be
chosen. On a busy machine all limits are open, and rounds of all would decide none."""


def rounds_of(rows: Sequence[Entry], target: str) -> defaultdict[int, list[Round]]:
    """Group -> its recorded rounds on a target."""
    found = defaultdict[int, list[Round]](list)
    for row in rows:
        if isinstance(row, Round) and row.target == target:
            found[row.group].append(row)
    return found


class GroupState:
    """How far a group is: what is recorded, who still runs, whether it is precise enough."""

    def __init__(self, group: Group, study: Study, folder: Path, rounds: Sequence[Round]) -> None:
        """`rounds` are those of the group that are recorded in the results folder."""
        self.group, self.measure = group, study.measure
        self.budget_s = study.measure.budget / 1e9
        self.spent_s = 0.0
        self._told = False
        """that another run measures on the device, too"""
        self.next_round = 0
        self.stopped: Optional[str] = None
        self._failures: dict[str, list[str]] = {}
        self._predicted: set[str] = set()
        self._convergence = Convergence(group, study.measure.precision)
        self._widest: Optional[float] = None
        self._limits = OpenLimits(study.slo)
        self._open: list[str] = []
        self._pace = 1.0
        """what the last round took, over what was reckoned"""
        for row in rounds:
            self.add(row.repetitions, raw.read(folder, row.raw), row.elapsed_s)

    def alive(self) -> list[str]:
        """Trials that may still be measured, in the plan's order."""
        return [t.id for t in self.group.trials if not self._given_up(t.id)]

    def active(self) -> list[str]:
        """Trials of the next round, in the plan's order: all of them, until each has its least
        number of rounds; then a few whose limits are open, with the reference, if there are any.
        """
        alive = self.alive()
        if not self._open:
            return alive
        return [t for t in alive if t in self._open or t == self.group.reference]

    @property
    def about_limits(self) -> bool:
        """Whether the next round is for trials whose limits are open."""
        return bool(self._open)

    def round_time_ns(self) -> int:
        """How long the next round measures each trial: what fits, while all are measured."""
        if self._open:
            return self.measure.round_time
        seconds = length.round_time_s(
            self._trials(self.active()),
            self.measure,
            left_s=(self.budget_s - self.spent_s) / self._pace,
            rounds=max(1, max(length.WANTED, self.measure.min_rounds) - self.next_round),
        )
        return min(self.measure.round_time, int(seconds * 1e9))

    def _trials(self, names: Collection[str]) -> list[Trial]:
        return [trial for trial in self.group.trials if trial.id in names]

    def _next_s(self) -> float:
        """Seconds that the next round will take."""
        return self._pace * length.seconds(self._trials(self.active()), self.round_time_ns() / 1e9)

    def _given_up(self, trial: str) -> bool:
        reasons = self._failures.get(trial, [])
        return len(reasons) >= FAILURES_ALLOWED or any(r in STABLE for r in reasons)

    def unpredicted(self) -> list[str]:
        """Trials whose predictions are still wanted."""
        return [t for t in self.active() if t not in self._predicted]

    def add(
        self,
        repetitions: tuple[Repetition, ...],
        timings: Mapping[str, raw.Timings],
        elapsed_s: float,
    ) -> Optional[str]:
        """Take in a round; returns why the group stops now, or None."""
        reckoned_s = self._next_s() / self._pace
        own = [one for one in repetitions if one.trial != self.group.yardstick]
        good = [one for one in own if one.status == "ok"]
        self._convergence.add((one, timings[one.trial].latencies) for one in good)
        for one in good:
            self._limits.add(one.trial, timings[one.trial].latencies)
        for repetition in own:
            if repetition.status == "ok":
                if repetition.outputs:
                    self._predicted.add(repetition.trial)
            else:
                self._failures.setdefault(repetition.trial, []).append(repetition.reason or "")
        self.next_round = repetitions[0].round + 1
        self.spent_s += elapsed_s
        self._pace = elapsed_s / reckoned_s if reckoned_s else 1.0
        # Once a round, not for every event: the host shares its cores with what it times.
        self._widest = self._convergence.widest()
        self.stopped = self._stop()
        return self.stopped

    def _stop(self) -> Optional[str]:
        alive = self.alive()
        if not alive:
            return "every trial failed"
        if self.next_round < self.measure.min_rounds:
            return None
        self._open = self._convergence.fastest(self._limits.undecided(alive))[:MOST_OPEN]
        if not self._open and self._convergence.reached(alive):
            return "precision"
        if self.next_round >= self.measure.max_rounds:
            return "rounds"
        return "budget" if self.spent_s + self._next_s() > self.budget_s else None

    def tell(self, progress: Progress, event: dict[str, Any]) -> None:
        """Translate a worker's event into a share of the group's budget."""
        if "waiting" in event:
            if not self._told:
                self._told = True
                progress.note(waiting(event))
            return
        weights = {"load": (0.0, 0.35), "measure": (0.35, 0.6), "predict": (0.95, 0.05)}
        start, span = weights[event["stage"]]
        in_round = start + span * event["done"] / max(1, event["of"])
        each_s = self._next_s()
        least = max(1, self.measure.min_rounds - self.next_round)
        fit = int((self.budget_s - self.spent_s) // max(each_s, 1e-9))
        left = max(least, min(self.measure.max_rounds - self.next_round, fit)) - in_round
        left_s = left * each_s if self.next_round else self.budget_s
        done = self.spent_s + in_round * each_s
        done = min(1.0, done / max(done + left * each_s, 1e-9))
        half = self._widest
        width = f", ±{half * 100:.1f} %" if half is not None else ""
        cooling = ", waiting until it is cooler" if "cooling" in event else ""
        progress.update(f"round {self.next_round + 1}{width}{cooling}", done, left_s)
