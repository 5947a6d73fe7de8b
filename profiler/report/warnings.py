"""What a reader must know before trusting the numbers."""

from __future__ import annotations

from profiler.analysis.trials import gpu, noise, placement
from profiler.report.reasons import grouped
from profiler.results.results import Results
from profiler.schema.device.target import differences
from profiler.wire.cases import CASES


def warnings(results: Results) -> list[str]:
    """One line each; what holds of several trials alike is told once."""
    told = [f"left out: {text}" for text in results.faults]
    if not results.complete:
        told.append("the run is not complete: give the same `run` command again to finish it")
    for name, gone in results.lost.items():
        if gone.during == "stress":
            ended = "lost during stress, after its intervals were complete"
        else:
            ended = "its measuring ended early"
        told.append(f"{name}: {ended}: {gone.reason}")
    for name, target in results.targets.items():
        if target.emulated:
            told.append(f"{name} is emulated: its times say nothing about a real device")
    for name, facts in results.facts().items():
        told += [f"{name}: {text}" for text in differences(results.targets[name], facts)]
        if noise.busy_before(facts):
            load = facts["load_1min"]
            told.append(f"{name}: the machine was busy before the run (load {load:g})")
        governor = facts.get("governor")
        if governor not in (None, "performance"):
            told.append(f"{name}: CPU governor is {governor}, not performance")
        if since := facts.get("throttled_since_boot"):
            told.append(
                f"{name}: its clock was limited since it was switched on: {', '.join(since)}"
            )
    told += placement.warnings(results.rows, results.study.targets[0])
    told += gpu.warnings(results.rows)
    told += grouped(
        [
            (str(row["trial"]), f"damaged more than the rest: {row['damaged']}")
            for row in results.rows
            if row["damaged"]
        ]
    )
    told += grouped(
        [(str(row["trial"]), str(row["advice"])) for row in results.rows if row["saturable"]]
    )
    left = _stress_left(results)
    if left and results.complete:
        told.append(f"{left} answers under stress are missing: the same `run` command goes on")
    told += [
        f"{trial} under stress: {text}"
        for trial, answering in (results.stress.answered_by or {}).items()
        if trial == answering
        for text in results.stress.warnings(trial)
    ]
    evaluation, spec = results.prepared.evaluation, results.study.data
    if evaluation is not None and spec is not None:
        told += [f"{spec.file}: {text}" for text in evaluation.findings]
    wide = [
        row["trial"] for row in results.rows
        if row["status"] == "ok" and row["p50_low_ns"] is None
    ]  # fmt: skip
    if wide:
        told.append(f"no interval yet for {len(wide)} trial(s), e.g. {wide[0]}: too few rounds")
    return told


def _stress_left(results: Results) -> int:
    """Answers and probes that the study asks for and nobody gave yet."""
    spec, found = results.study.stress, results.stress
    if spec is None:
        return 0
    asked = [
        own for trial, own in (found.answered_by or {}).items()
        if trial == own and results.targets[results.trials[own].target].backend != "null"
    ]  # fmt: skip
    each = len(spec.names) * len(spec.severities) + (len(CASES) if spec.probes else 0)
    answered = len(found.failures) + sum(point.severity > 0 for point in found.points)
    return max(0, each * len(asked) - answered - len(found.probes))
