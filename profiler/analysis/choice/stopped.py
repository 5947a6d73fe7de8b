"""What ended the measuring of each group, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiler.schema.record.plan import Plan
from profiler.schema.record.recorded import Lost, Round
from profiler.schema.study.measure import MeasureSpec
from profiler.units import format_duration, format_percent


def reasons(
    plan: Plan,
    rounds: Iterable[Round],
    measure: MeasureSpec,
    lost: Mapping[str, Lost],
) -> dict[int, str]:
    """Group -> 'precision of ±0.5 % reached after 6 rounds' and the like.

    `rounds` are the recorded rows of all rounds, `lost` the rows of targets that went away.
    """
    count: dict[int, int] = {}
    ended: dict[int, str] = {}
    for row in rounds:
        count[row.group] = count.get(row.group, 0) + 1
        if row.stopped:
            ended[row.group] = row.stopped
    found = {}
    for group in plan.groups:
        done = count.get(group.index, 0)
        after = f"after {done} round{'' if done == 1 else 's'}"
        text = {
            "precision": f"precision of ±{format_percent(measure.precision)} reached {after}",
            "budget": f"budget of {format_duration(measure.budget)} spent {after}",
            "rounds": f"all {done} rounds done",
            "every trial failed": f"every trial failed {after}",
        }.get(ended.get(group.index, ""))
        if text is None and group.target in lost:
            text = f"{group.target} was lost {after}: {lost[group.target].reason}"
        found[group.index] = text or f"not finished: {done} of at least {measure.min_rounds} rounds"
    return found


def of_trials(plan: Plan, why: Mapping[int, str]) -> dict[str, str]:
    """Trial -> the reasons of the groups it was measured in, each once."""
    found: dict[str, list[str]] = {}
    for group in plan.groups:
        for trial in group.trials:
            found.setdefault(trial.id, []).append(why[group.index])
    return {trial: "; ".join(dict.fromkeys(texts)) for trial, texts in found.items()}
