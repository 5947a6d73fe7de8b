"""What heat, power supply and clock rules did to a run, from the readings around its blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from profiler.analysis.trials.samples import Samples
from profiler.wire.messages import Thermal

HOTTER_CELSIUS = 10.0
"""A device that warmed up by so much was not in one state during the run."""
_ADVICE = {
    "under-voltage": "use the board's own power supply and a short cable: at 4.63 V a Raspberry Pi"
    " slows down",
    "soft temperature limit": "cool it better, or keep the room cooler",
    "governor": "set one for the whole run: sudo cpupower frequency-set -g performance",
}
_COOL = "let it cool down, give it a fan or a heat sink, or pause between rounds"
Told = tuple[Literal["note", "problem"], str, str]
"""(how grave, what was seen, what helps)"""


def advice(reason: str) -> str:
    """What helps against something that limits the clock."""
    return _ADVICE.get(reason, _COOL)


def told(samples: Mapping[str, Samples]) -> list[Told]:
    """What the blocks of all trials show, target by target."""
    targets: dict[str, list[Samples]] = {}
    for trial, one in samples.items():
        targets.setdefault(trial.partition("@")[2].partition("/")[0], []).append(one)
    return [
        (level, f"{target}: {text}", help_)
        for target, ones in targets.items()
        for level, text, help_ in _of_target([heat for one in ones for heat in _readings(one)])
    ]


def _of_target(readings: list[Thermal]) -> list[Told]:
    found: list[Told] = []
    limits = Counter(reason for heat in readings for reason in heat.throttled or ())
    for reason, count in limits.most_common():
        text = f"{reason} in {count} of {len(readings)} blocks"
        found.append(("problem", text, advice(reason)))
    governors = {heat.governor for heat in readings if heat.governor is not None}
    if len(governors) > 1:
        text = f"the CPU governor changed during the run: {' and '.join(sorted(governors))}"
        found.append(("problem", text, advice("governor")))
    known = [c for heat in readings for c in (heat.before_celsius, heat.celsius) if c is not None]
    if known and max(known) - min(known) >= HOTTER_CELSIUS:
        text = f"its temperature went from {min(known):.0f} to {max(known):.0f} °C during the run"
        found.append(("note", text, _COOL))
    return found


def _readings(samples: Samples) -> Iterator[Thermal]:
    for _, taken in sorted(samples.taken.items()):
        for block in taken.repetition.blocks:
            if block.thermal is not None:
                yield block.thermal
