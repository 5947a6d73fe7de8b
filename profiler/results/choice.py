"""The choice among the rows of a folder, and what rests on it: the finished table."""

from __future__ import annotations

from dataclasses import replace

from profiler.analysis.choice import relative, slo
from profiler.analysis.choice.choose import Choice, choose
from profiler.analysis.choice.explore import Step, steps
from profiler.analysis.choice.frontier import load_of, mark_frontier, usable_objectives
from profiler.results.judged import Judged
from profiler.results.opened import Opened
from profiler.results.rows import TrialRows
from profiler.schema.columns import Row, row_of
from profiler.schema.study.measure import Slo


class Chooser:
    """Chooses under limits, each of which is thought through once."""

    def __init__(self, opened: Opened, judged: Judged, rows: TrialRows) -> None:
        self._opened, self._judged, self._rows = opened, judged, rows
        self._choices: dict[tuple[Slo, str | None, tuple[str, ...]], Choice] = {}

    def choose(
        self, limits: Slo, objective: str | None = None, targets: tuple[str, ...] = ()
    ) -> Choice:
        """One recommendation under these limits; `targets`: among the trials on these alone."""
        key = (limits, objective, targets)
        if key not in self._choices:
            self._choices[key] = self._choose(*key)
        return self._choices[key]

    def rivals(self, limits: Slo, targets: tuple[str, ...] = ()) -> list[Row]:
        """The rows among which is chosen."""
        opened = self._opened
        # Latencies under different loads don't compare: the first scenario and shape decide.
        kind = opened.study.scenarios[0].kind
        rows = [row for row in self._rows.at(limits) if row["scenario"] == kind]
        first = {row["model"]: row["shapes"] for row in reversed(rows)}
        rows = [row for row in rows if row["shapes"] == first[row["model"]]]
        real = [row for row in rows if not opened.targets[row["target"]].emulated]
        if real:
            rows = real
        return [row for row in rows if not targets or row["target"] in targets]

    def _choose(self, limits: Slo, objective: str | None, targets: tuple[str, ...]) -> Choice:
        opened, rows = self._opened, self.rivals(limits, targets)
        available = usable_objectives(rows, (objective or opened.study.objectives[0],))
        separated = relative.separated(
            opened.trials,
            opened.typical,
            delta=opened.study.measure.equivalence,
            adaptive=opened.adaptive,
        )
        best_in = available[0] if available else "p50"
        choice = choose(rows, limits, best_in, separated=separated)
        breaks = self._judged.stress.warnings(choice.trial) if choice.trial else ()
        told = [f"under stress: {text}" for text in breaks]
        for row in (row for row in rows if row["trial"] == choice.trial):
            told += [row["advice"]] if row["saturable"] and row["advice"] else []
            if best_in == "throughput" and row["throughput_note"]:
                told.append(row["throughput_note"])
        return replace(choice, warnings=tuple(told))

    def explore(
        self, limits: Slo, objective: str | None = None, targets: tuple[str, ...] = ()
    ) -> list[Step]:
        """Where looser limits change the winner."""
        rows = self.rivals(limits, targets)
        return steps(rows, limits, lambda other: self.choose(other, objective, targets))

    def table(self, limits: Slo) -> list[Row]:
        """Every row with its place: frontier, verdict on the limits, and which is chosen."""
        rows = [row_of(row) for row in self._rows.at(limits)]
        marks: dict[str, Row] = {}
        # Times of an emulated device are no rivals of real ones.
        kinds = [(load_of(row), self._opened.targets[row["target"]].emulated) for row in rows]
        for kind in set(kinds):
            rivals = [row for row, its in zip(rows, kinds, strict=True) if its == kind]
            objectives = usable_objectives(rivals, self._opened.study.objectives)
            marks.update(mark_frontier(rivals, objectives))
        chosen = self.choose(limits)
        for row in rows:
            row.update(marks[row["trial"]])
            row["slo"] = slo.overall(slo.check(row, limits)) if row["status"] == "ok" else None
            row["chosen"] = row["trial"] == chosen.trial
        return rows
