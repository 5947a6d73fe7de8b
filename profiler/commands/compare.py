"""`compare`: trials of one folder, or two folders."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.commands.look import console, print_json
from profiler.results import Results
from profiler.schema.codec import encode
from profiler.statistics.intervals import Estimate
from profiler.units import format_elapsed


def _effect(ratio: Estimate) -> str:
    if ratio.low is None or ratio.high is None:
        return f"p50 ratio {ratio.value:.4f} ({ratio.note})"
    return (
        f"p50 ratio {ratio.value:.4f}, 95 % interval {ratio.low:.4f} to {ratio.high:.4f}"
        f" ({ratio.rounds} rounds)"
    )


def trials(results: Results, first: str, others: Sequence[str], *, json: bool) -> None:
    """Print each comparison's effect, interval and verdict."""
    found = results.compare([(first, other) for other in others])
    if json:
        print_json([{"first": a, "second": b, **encode(c)} for (a, b), c in found.items()])
        return
    out = console()
    for (a, b), comparison in found.items():
        ratio = comparison.ratio
        out.print(f"{a}\n  against {b}", markup=False)
        out.print(f"  {_effect(ratio)}")
        more = ""
        if comparison.verdict == "undecided" and comparison.rounds_needed:
            each_s = sum(r["elapsed_s"] for r in results.rounds) / max(1, len(results.rounds))
            left = max(0, comparison.rounds_needed - ratio.rounds)
            more = f"; about {left} more rounds would decide ({format_elapsed(left * each_s)})"
        out.print(f"  [bold]{comparison.verdict}[/bold]{more}")


def folders(first: Results, second: Results, *, json: bool) -> None:
    """Print how the trials of the first folder stand to those of the second."""
    found = first.compare_with(second)
    if json:
        print_json(encode(found))
        return
    out = console()
    out.print(f"{first.folder} against {second.folder}", markup=False)
    for one in found:
        out.print(one.trial, markup=False)
        taken = "" if one.relative_to is None else f", relative to {one.relative_to}"
        out.print(f"  {_effect(one.ratio)}{taken}", markup=False)
        out.print(f"  [bold]{one.verdict}[/bold]")
