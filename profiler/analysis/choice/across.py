"""The same trials in two results folders of the same machine.

Nothing was interleaved between the folders, so the machine's drift does not cancel by itself.
Where both folders measured one common trial in the same rounds, everything is taken relative to
it first, round by round; else, and that trial itself, relative to the yardstick, the small fixed
model that studies measure beside their trials. The two sets of rounds are then compared as
independent samples (Yuen's trimmed t over rounds, on the log scale).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from profiler.analysis.choice.yardstick import Multiples
from profiler.analysis.trials.samples import Samples, at_same_moment, paired
from profiler.errors import ResultsError
from profiler.statistics.centre import trimmed_mean
from profiler.statistics.intervals import MINIMUM_ROUNDS, NO_SPREAD, NOT_ENOUGH_ROUNDS, Estimate
from profiler.statistics.ratio import Verdict, compare

COMPARED_FACTS = (
    "architecture", "cpu", "cpu_flags", "microcode", "usable_cores", "core_groups",
    "memory_bytes", "kernel",
    "int8_saturates", "gpus", "python", "numpy", "onnxruntime", "shipped", "torch",
    "plugin_version",
    "governor", "power_mode", "turbo", "worker",
)  # fmt: skip
"""Rounds in which one of these differs were not measured on the same machine by the same program:
they are neither merged into one folder nor compared, and a trace is no explanation of them. Load,
temperatures and free memory vary from round to round and are recorded, not held against."""
_PROGRAM = "worker"
"""Ours, not the user's: rounds of one folder share it, but a new version of this program must not
make every older folder incomparable."""
_GPU_VARIES = ("index", "uuid")
"""Two cards of one kind are as alike as two processors of one kind."""


YARDSTICK = "yardstick"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossRuns:
    """p50 of a trial in the first folder over that in the second."""

    trial: str
    ratio: Estimate
    verdict: Verdict
    relative_to: str | None
    """the common trial that took the drift out, or YARDSTICK; None: plain, drift and all"""


def differing_facts(
    first: Mapping[str, object], second: Mapping[str, object], *, merging: bool = False
) -> list[tuple[str, object, object]]:
    """Facts that forbid a comparison: (name, in the first, in the second).

    Facts that one of them lacks altogether were not asked for when it was written. `merging` into
    one folder also wants the same worker.
    """
    pairs = (
        (name, _compared(first, name), _compared(second, name))
        for name in COMPARED_FACTS
        if name in first and name in second and (merging or name != _PROGRAM)
    )
    return [(name, here, there) for name, here, there in pairs if here != there]


def _compared(facts: Mapping[str, object], name: str) -> object:
    value = facts.get(name)
    if name != "gpus" or not isinstance(value, list):
        return value
    return [{k: v for k, v in gpu.items() if k not in _GPU_VARIES} for gpu in value]


def refuse_unlike(
    folder: object,
    facts: Mapping[str, Mapping[str, object]],
    other_folder: object,
    other_facts: Mapping[str, Mapping[str, object]],
) -> None:
    """Raise ResultsError naming the first fact in which a target of both folders differs."""
    for target in (name for name in facts if name in other_facts):
        for name, here, there in differing_facts(facts[target], other_facts[target]):
            raise ResultsError(
                f"{folder} and {other_folder} don't compare: on {target} {name} is"
                f" {short(here)} in one and {short(there)} in the other",
                hint="measure both on one machine with the same software",
            )


def short(value: object) -> str:
    """A fact in a message."""
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def welch_ratio(
    first: Sequence[float],
    second: Sequence[float],
    *,
    adaptive: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """exp of the difference of the trimmed mean logs, with Welch's t interval (Yuen 1974, "The
    two-sample trimmed t for unequal population variances").

    `adaptive`: a folder stopped as soon as its own interval was narrow enough. Without paying for
    that the interval covers 90.7 to 94.8 % (`scripts/simulate_runs`).
    """
    rounds = min(len(first), len(second))
    if rounds < MINIMUM_ROUNDS:
        value = math.exp(float(np.mean(first) - np.mean(second)))
        return Estimate(value=value, low=None, high=None, rounds=rounds, note=NOT_ENOUGH_ROUNDS)
    a, b = trimmed_mean(np.asarray(first)), trimmed_mean(np.asarray(second))
    value = math.exp(a.value - b.value)
    if not (a.spread_known or b.spread_known):
        return Estimate(value=value, low=None, high=None, rounds=rounds, note=NO_SPREAD)
    from scipy.special import stdtrit

    variance = a.error**2 + b.error**2
    freedom = variance**2 / (a.error**4 / a.freedom + b.error**4 / b.freedom)
    alpha = (1 - confidence) / max(a.factors[adaptive], b.factors[adaptive])
    factor = math.exp(float(stdtrit(freedom, 1 - alpha / 2)) * math.sqrt(variance))
    return Estimate(value=value, low=value / factor, high=value * factor, rounds=rounds)


def compare_runs(
    first: Mapping[str, Samples],
    second: Mapping[str, Samples],
    *,
    references: Mapping[str, str],
    multiples: tuple[Multiples, Multiples] = ({}, {}),
    delta: float,
    adaptive: bool,
) -> list[AcrossRuns]:
    """One verdict for each trial that both have.

    `references`: trial -> the common trial of its own target that takes the drift out; it has more
    blocks than a yardstick. `multiples`: of the yardstick in the first and in the second folder;
    they take the drift out of a reference itself, and where there is none. Without either a trial
    is compared plainly. An interval is its trial's own, at 95 %; in at most 5 % of comparisons is
    any verdict wrong (Bonferroni).
    """
    comparisons: list[tuple[str, str | None, list[list[float]]]] = []
    for trial in (name for name in first if name in second):
        common = references.get(trial)
        pair: list[list[float]] = [[], []]
        if common is not None and common != trial:
            pair = [_logs(samples, trial, common) for samples in (first, second)]
        if min(map(len, pair)) < MINIMUM_ROUNDS:  # or no round has both, in their groups
            common = YARDSTICK
            pair = [[math.log(x) for x in one.get(trial, {}).values()] for one in multiples]
        if min(map(len, pair)) < MINIMUM_ROUNDS:
            common, pair = None, [_logs(samples, trial, None) for samples in (first, second)]
        if min(map(len, pair)):
            comparisons.append((trial, common, pair))
    confidence = 1 - 0.05 / max(1, len(comparisons))
    return [
        AcrossRuns(
            trial=trial,
            ratio=welch_ratio(*pair, adaptive=adaptive),
            verdict=compare(welch_ratio(*pair, adaptive=adaptive, confidence=confidence), delta),
            relative_to=common,
        )
        for trial, common, pair in comparisons
    ]


def _logs(samples: Mapping[str, Samples], trial: str, reference: str | None) -> list[float]:
    """One a round: of p50, or of the ratio to the reference at the same moment."""
    if reference is None:
        return [math.log(value) for value in samples[trial].p50_by_round().values()]
    typical = at_same_moment([samples[trial], samples[reference]])
    a, b = paired(typical[trial], typical[reference])
    return [math.log(x / y) for x, y in zip(a, b, strict=True)]
