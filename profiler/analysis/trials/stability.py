"""Why a result is unstable, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from profiler.analysis.trials import heat, noise, speeds
from profiler.analysis.trials.samples import Samples
from profiler.schema.columns import Row, half_width_of
from profiler.schema.device.cores import KINDS, resolve
from profiler.schema.study.recipes import TOO_NOISY_DB, least_db

Level = Literal["good", "note", "problem"]
WIDE = 0.05
DRIFT = 0.05
LONE = 0.15
"""A process so much slower than its trial's others, alone in its round, met something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found. `advice` is what to do or type; nothing of it is run by us."""

    level: Level
    text: str
    advice: str | None = None


def of_results(
    rows: Sequence[Row], samples: Mapping[str, Samples], precision: float
) -> list[Finding]:
    """What the recorded rounds say about how far the numbers can be trusted."""
    findings: list[Finding] = []
    measured = [row for row in rows if row["status"] == "ok"]
    wide = [row for row in measured if _width(row) is None or (_width(row) or 0) > precision]
    if wide:
        worst = max(wide, key=lambda row: _width(row) or float("inf"))
        width = _width(worst)
        text = "no interval" if width is None else f"±{width:.1%}"
        findings.append(
            Finding(
                level="problem" if width is None or width > WIDE else "note",
                text=f"{len(wide)} of {len(measured)} trials missed the precision of"
                f" ±{precision:.1%}; the widest p50 is {worst['trial']} ({text})",
                advice="give more time: budget under [measure], or --budget; differences between"
                " trials are known better than the trials themselves: profiler compare",
            )
        )
    noisy = {trial: s for trial, s in samples.items() if noise.describe(_repetitions(s))}
    if noisy:
        reasons = sum((noise.reasons(_repetitions(s)) for s in noisy.values()), start=_none())
        common = reasons.most_common(1)
        why = f", mostly: {common[0][0]}" if common else ""
        findings.append(
            Finding(
                level="problem" if len(noisy) > len(samples) / 2 else "note",
                text=f"{len(noisy)} of {len(samples)} trials were disturbed{why}",
                advice=_against(common[0][0] if common else ""),
            )
        )
    cold = [t for t, s in samples.items() if _never_level(s)]
    if cold:
        findings.append(
            Finding(
                level="note",
                text=f"warm-up of {len(cold)} trial(s) did not become level, e.g. {cold[0]}",
                advice="a machine that throttles or shares its cores never does; let it cool"
                " down, or stop the other processes",
            )
        )
    findings += [
        Finding(level=how, text=text, advice=help_) for how, text, help_ in heat.told(samples)
    ]
    if told := speeds.in_words(measured):
        findings.append(
            Finding(
                level="note",
                text=told,
                advice="absolute times are a mixture of both; ratios are told at the same moment,"
                " and for each speed where they differ. Usually another guest uses the core's other"
                " thread: a machine of your own, or one with whole cores, has one speed",
            )
        )
    if levels := speeds.own_levels(measured, samples):
        more = "" if len(levels) == 1 else f"; {len(levels) - 1} more trial(s) have levels, too"
        findings.append(
            Finding(
                level="note",
                text=levels[0] + more,
                advice="some inputs may take longer, or the machine changes its speed: measured"
                " beside another model, it would be told which",
            )
        )
    findings += _drift(samples)
    findings += _lone(samples)
    findings += _drowned(measured)
    findings += _saturable(measured)
    if not findings:
        findings.append(Finding(level="good", text="nothing speaks against these numbers"))
    return findings


def _drowned(rows: Sequence[Row]) -> list[Finding]:
    """Trials noisier than their bits explain; the row's advice says what to type."""
    return [
        Finding(
            level="problem" if row["sqnr_db"] < TOO_NOISY_DB else "note",
            text=f"{row['trial']}: its outputs are only {row['sqnr_db']:.1f} dB above their noise",
            advice=row["advice"],
        )
        for row in rows
        if row["advice"] and row["sqnr_db"] is not None and row["sqnr_db"] < least_db(row["recipe"])
    ]


def _saturable(rows: Sequence[Row]) -> list[Finding]:
    """Trials whose 8-bit sums can be cut off on their processor; the advice says what to type."""
    return [
        Finding(
            level="problem",
            text=f"{row['trial']}: {row['saturable']} of its 8-bit products can saturate there",
            advice=row["advice"],
        )
        for row in rows
        if row["saturable"]
    ]


def _none() -> Any:
    from collections import Counter

    return Counter()


def _against(reason: str) -> str:
    if "hypervisor" in reason:
        return "other guests of the host are busy: measure at another time or on a dedicated host"
    return (
        "stop what else runs there (ps -eo pcpu,comm --sort=-pcpu | head), or give the study"
        " fewer threads than cores so that one stays free"
    )


def _width(row: Row) -> float | None:
    width = half_width_of(row, "p50_ns")
    return None if width is None or width != width else width


def _repetitions(samples: Samples) -> list[Any]:
    return [taken.repetition for taken in samples.taken.values()]


def _never_level(samples: Samples) -> bool:
    told = [r.warmup_level for r in _repetitions(samples) if r.warmup_level is not None]
    return bool(told) and sum(told) < len(told) / 2


def _drift(samples: Mapping[str, Samples]) -> list[Finding]:
    """All trials slower in late rounds than in early ones: heat, clocks or a new neighbour."""
    import numpy as np

    changes = []
    for one in samples.values():
        values = [value for _, value in sorted(one.p50_by_round().items())]
        if len(values) >= 4:
            half = len(values) // 2
            changes.append(np.log(np.median(values[half:]) / np.median(values[:half])))
    if len(changes) < 2 or abs(float(np.median(changes))) < DRIFT:
        return []
    change = float(np.expm1(np.median(changes)))
    word = "slower" if change > 0 else "faster"
    return [
        Finding(
            level="note",
            text=f"the whole machine became {abs(change):.0%} {word} during the run",
            advice="ratios between trials are not affected, absolute times are: let the device"
            " cool down between runs, or fix its clock",
        )
    ]


def _lone(samples: Mapping[str, Samples]) -> list[Finding]:
    """Single processes that were slow for their whole round, while the others of it were not."""
    import numpy as np

    excess: dict[Any, dict[str, float]] = {}
    for trial, one in samples.items():
        values = one.p50_by_round()
        if len(values) >= 4:
            usual = float(np.median(list(values.values())))
            for key, value in values.items():
                excess.setdefault(key, {})[trial] = value / usual - 1
    slow = [
        (trial, more)
        for round_ in excess.values()
        for trial, more in round_.items()
        if more > LONE
        and len(round_) > 1
        and np.median([others for name, others in round_.items() if name != trial]) < LONE / 2
    ]
    if not slow:
        return []
    trial, most = max(slow, key=lambda found: found[1])
    return [
        Finding(
            level="note",
            text=f"{len(slow)} of {sum(map(len, excess.values()))} processes were slow for their"
            f" whole round while the others of it were not, most {trial} ({most:.0%})",
            advice="a CPU that something else keeps busy slows whoever runs there; the intervals"
            " hold it, and more rounds or fewer threads than cores make them narrower",
        )
    ]


def of_machine(facts: Mapping[str, Any]) -> list[Finding]:
    """How ready a target is for measuring, with the commands that would help. Runs none."""
    findings: list[Finding] = []

    def add(level: Level, text: str, advice: str | None = None) -> None:
        findings.append(Finding(level=level, text=text, advice=advice))

    governor = facts.get("governor")
    if governor is None:
        add("note", "CPU frequency can't be read or set here (a virtual machine, usually)")
    elif governor != "performance":
        add(
            "problem",
            f"the CPU governor is {governor}",
            "sudo cpupower frequency-set -g performance",
        )
    else:
        add("good", "the CPU governor is performance")
    if mode := facts.get("power_mode"):
        add(
            "note",
            f"the power mode is {mode}",
            "sudo nvpmodel -m 0   (usually the fastest), and sudo jetson_clocks to fix the clocks",
        )
    if since := facts.get("throttled_since_boot"):
        add("problem", f"its clock was limited since it was switched on: {', '.join(since)}",
            heat.advice(since[0]))  # fmt: skip
    if facts.get("turbo"):
        add(
            "note",
            "turbo is on: the clock depends on temperature and on how many cores work",
            "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo   (Intel), or"
            " echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
        )
    if busy := noise.busy_before(facts):
        cores = facts.get("usable_cores") or 1
        add("problem", f"the machine is busy: load {facts['load_1min']:g} on {cores} cores",
            "ps -eo pcpu,comm --sort=-pcpu | head")  # fmt: skip
    elif busy is not None:
        add("good", f"the machine is not busy: load {facts['load_1min']:g}")
    groups = facts.get("core_groups") or ()
    if len(groups) > 1:
        cpus = [",".join(map(str, group["cpus"])) for group in groups]
        named = all(resolve(kind, facts)[0] for kind in ("big", "little"))
        values = KINDS if named else cpus
        add(
            "note",
            f"its cores are not equal: CPUs {' and '.join(cpus)}, the slowest first",
            "measure each kind: [sweep] affinity = [" + ", ".join(map('"{}"'.format, values)) + "]",
        )
    if facts.get("virtualised"):
        add("note", "this is a virtual machine: other guests can take the CPU; steal is recorded")
    if facts.get("clocksource") not in (None, "tsc", "arch_sys_counter", "kvm-clock"):
        add("problem", f"the clock source {facts['clocksource']} is slow to read",
            "boot with tsc=reliable, if the hardware has a stable TSC")  # fmt: skip
    if facts.get("huge_pages") == "always":
        add(
            "note",
            "transparent huge pages are 'always': the layout of memory differs more from process"
            " to process",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        )
    hot = {k: v for k, v in (facts.get("temperatures_celsius") or {}).items() if v >= 80}
    for zone, celsius in hot.items():
        add("problem", f"{zone} is at {celsius:.0f} °C: it will throttle", "let it cool down")
    return findings
