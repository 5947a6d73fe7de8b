"""Which share of a model ran on the provider asked for, and what its outputs owe to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.statistics.once import Pairs
from profiler.statistics.pieces import Rows, pieces
from profiler.wire.messages import Placement
from profiler.wire.providers import CPU

NOTICEABLE = 1e-3
"""Relative difference of outputs above which a target computes in another precision than fp32
(fp32 sums in another order differ by about 1e-6, tf32, fp16 and bf16 by 1e-4 to 1e-2)."""


def accelerated(provider: str) -> bool:
    """Whether a provider can hand nodes back to the CPU."""
    return provider.endswith("ExecutionProvider") and provider != CPU


def summarise(trial: Trial, found: Iterable[Placement | None]) -> Row:
    """Columns placed (share of nodes, the lowest of all repetitions) and placed_note."""
    placements = list(found)
    known = [p for p in placements if p is not None]
    if len(known) < len(placements) or not known:
        note = "unknown how much of it ran on the provider" if accelerated(trial.provider) else None
        return {"placed": None, "placed_note": note}
    least = min(known, key=lambda p: p.on_provider / p.nodes)
    note = None
    if least.on_provider < least.nodes:
        note = (
            f"{least.nodes - least.on_provider} of {least.nodes} nodes not on {trial.provider}:"
            f" {operators(least.elsewhere)}"
        )
    return {"placed": least.on_provider / least.nodes, "placed_note": note}


def operators(counts: Mapping[str, int], most: int = 4) -> str:
    """'Softmax ×12, Gather ×2 and 3 more kinds'."""
    ranked = Counter(counts).most_common()
    text = ", ".join(f"{op} ×{count}" for op, count in ranked[:most])
    left = len(ranked) - most
    return f"{text} and {left} more kind{'s' if left != 1 else ''}" if left > 0 else text


def output_errors(
    outputs: Mapping[str, Rows], trials: Mapping[str, Trial], first: str
) -> dict[str, Row]:
    """How far outputs are from those of the same variant on the study's first target.

    Column output_error: relative RMS difference, sqrt(sum (a-b)² / sum b²), over all rows. Only
    the hardware and its library differ, so this is what the provider's arithmetic changed.
    """
    here: dict[tuple[str, str, str, int], list[Trial]] = {}
    for trial in (trials[t] for t in outputs if trials[t].target == first):
        here.setdefault(_what(trial), []).append(trial)
    errors = Pairs(relative_rms)
    found: dict[str, Row] = {}
    for name, values in outputs.items():
        trial = trials[name]
        if trial.target == first:
            continue
        same = here.get(_what(trial))
        if same:
            reference = min(same, key=lambda r: abs(r.threads - trial.threads))
            error = errors(values, outputs[reference.id])
            found[name] = {"output_error": error}
    return found


def _what(trial: Trial) -> tuple[str, str, str, int]:
    return trial.model, trial.variant, trial.scenario, trial.batch


def relative_rms(values: Rows, reference: Rows) -> float | None:
    """sqrt(sum (a-b)² / sum b²); None for masks, other shapes, or a reference of zeros."""
    import numpy as np

    if values.shape != reference.shape or values.dtype.kind == "u":
        return None  # class numbers are no amounts
    off = size = 0.0
    for piece, reference_piece in pieces(values, reference):
        exact = reference_piece.astype(np.float64)
        size += float(np.sum(exact**2))
        off += float(np.sum((piece.astype(np.float64) - exact) ** 2))
    return float(np.sqrt(off)) / float(np.sqrt(size)) if size else None


def warnings(rows: Iterable[Row], first: str) -> list[str]:
    """One line a target for partial or unknown placement, and for outputs that differ."""
    lines = []
    by_target: dict[str, list[Row]] = {}
    for row in rows:
        if row["status"] == "ok":
            by_target.setdefault(row["target"], []).append(row)
    for target, members in by_target.items():
        noted = [row for row in members if row["placed_note"]]
        if noted:
            worst = min(noted, key=lambda row: -1.0 if row["placed"] is None else row["placed"])
            lines.append(
                f"{target}: {len(noted)} of {len(members)} trials did not run wholly on"
                f" {worst['provider']}, e.g. {worst['trial']}: {worst['placed_note']}"
            )
        off = [(error, row) for row in members if (error := row["output_error"] or 0) > NOTICEABLE]
        if off:
            most, worst = max(off, key=lambda pair: pair[0])
            lines.append(
                f"{target}: outputs of {len(off)} trial(s) differ by more than"
                f" {NOTICEABLE * 100:g} % from those of the same variant on {first}, most"
                f" {worst['trial']} ({most * 100:.2g} % relative RMS):"
                " it computes with another precision or rounding"
            )
    return lines
