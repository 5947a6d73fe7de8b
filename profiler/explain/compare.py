"""A variant's time beside its baseline's, family by family: why it is slower or faster."""

from __future__ import annotations

from dataclasses import dataclass

from profiler.explain.families import family, times
from profiler.explain.profile import Profile

TELLING = 0.1
"""Differences below a tenth of the largest one are not put into words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One family's time per query in both."""

    family: str
    baseline_us: float
    us: float
    ops: tuple[str, ...]
    """the operator types that run it now, longest first; empty for the time outside kernels"""
    baseline_ops: tuple[str, ...]

    @property
    def more_us(self) -> float:
        """Positive where the variant takes longer."""
        return self.us - self.baseline_us


def differences(profile: Profile, baseline: Profile) -> tuple[Difference, ...]:
    """Every family that takes time in either; the largest change first."""
    mine, other = times(profile), times(baseline)
    found = [
        Difference(
            family=name,
            baseline_us=other.get(name, 0.0),
            us=mine.get(name, 0.0),
            ops=_of(profile, name),
            baseline_ops=_of(baseline, name),
        )
        for name in dict.fromkeys((*mine, *other))
    ]
    return tuple(sorted(found, key=lambda d: -abs(d.more_us)))


def _of(profile: Profile, name: str) -> tuple[str, ...]:
    return tuple(op for op, us in profile.by("op").items() if family(op) == name and us > 0)


def in_words(found: tuple[Difference, ...]) -> tuple[str, ...]:
    """The differences worth a sentence, e.g. 'matrix product: 322 to 100 µs (DynamicQuantizeMatMul
    instead of MatMul)'."""
    largest = max((abs(d.more_us) for d in found), default=0.0)
    texts = []
    for d in found:
        if largest == 0 or abs(d.more_us) < TELLING * largest:
            continue
        text = f"{d.family}: {d.baseline_us:.0f} to {d.us:.0f} µs"
        new = [op for op in d.ops if op not in d.baseline_ops][:2]
        old = [op for op in d.baseline_ops if op not in d.ops][:2]
        if new:
            text += f" ({', '.join(new)}" + (f" instead of {', '.join(old)})" if old else ")")
        texts.append(text)
    return tuple(texts)
