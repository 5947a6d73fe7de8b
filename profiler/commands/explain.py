"""`explain`: where the time goes, in words and tables of at most 80 columns."""

from __future__ import annotations

import shlex
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from profiler.commands import look
from profiler.commands.progress_bar import Bar, Screen
from profiler.errors import InputError
from profiler.explain.compare import in_words
from profiler.explain.diagnose import percent
from profiler.explain.profile import CONTROL, Profile
from profiler.explain.take import Explanation, warnings
from profiler.explain.take import explain as find
from profiler.results.results import Results
from profiler.units import format_duration
from profiler.wire.outside import printable
from profiler.wire.providers import short

WIDTH = 80
OPERATORS, NODES = 10, 8


def explain(
    results: Results, what: str | None, *, fresh: bool, yes: bool, quiet: bool, json: bool
) -> None:
    """Trace what has no trace yet, then print causes; with a name, operators and nodes, too."""
    with Bar(quiet=quiet or json) as bar:
        allow = partial(_allow, results.folder, what, yes=yes)
        found = find(results, what, fresh=fresh, progress=bar, allow=allow)
    if json:
        look.print_json([plain(one) for one in found])
        return
    console = Screen(highlight=False, width=WIDTH)
    for one in found:
        _head(console, one)
        _causes(console, one)
        if what is not None:
            _against_baseline(console, one)
            _operators(console, one)
            _nodes(console, one)
            console.print(f"trace: {one.trace} (open in ui.perfetto.dev)",
                          markup=False, soft_wrap=True)  # fmt: skip
        console.print()
    for text in warnings(found):
        console.print(f"warning: {text}", markup=False)
    if what is None:
        console.print(f"operators and nodes of one: profiler explain {results.folder} TRIAL",
                      markup=False, soft_wrap=True)  # fmt: skip


def _allow(folder: Path, what: str | None, source: str, *, yes: bool) -> None:
    """Ask before code that a results folder names is run. Raises InputError for a no."""
    if yes:
        return
    question = f"{source}, which {folder} names, is imported from {Path.cwd()} and run"
    if sys.stdin.isatty() and sys.stderr.isatty():
        from typer import confirm

        if confirm(printable(f"{question}. Do you trust it?"), err=True):
            return
        raise InputError(f"{source}: not run")
    again = shlex.join(["profiler", "explain", str(folder), *([what] if what else []), "--yes"])
    raise InputError(f"{question}: that needs your word", hint=f"if you trust it: {again}")


def _us(us: float) -> str:
    return format_duration(us * 1000) if us >= 0.0005 else "0"


def _head(console: Screen, one: Explanation) -> None:
    profile = one.profile
    console.print(Text(one.trial, style="bold"), soft_wrap=True)
    inside = profile.kernels_us / profile.total_us
    kernels = sum(n.op not in CONTROL for n in profile.nodes)
    line = f"{_us(profile.total_us)} a query: {percent(inside)} in {kernels} kernels"
    line += f", {percent(1 - inside)} outside"
    if one.ratio is not None:
        faster = one.ratio < 1
        line += f"; {1 / one.ratio if faster else one.ratio:.2f} times "
        line += f"{'faster' if faster else 'slower'} than its baseline"
    console.print(line, markup=False)
    by = profile.by("provider")
    if len(by) > 1:
        each = (f"{short(n)} {_us(us)}" for n, us in by.items())
        console.print("by provider: " + ", ".join(each), markup=False)


def _paragraph(console: Screen, first: str, rest: str, text: str) -> None:
    wrapped = textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest)
    console.print(Text("\n".join(wrapped)))


def _causes(console: Screen, one: Explanation) -> None:
    for number, diagnosis in enumerate(one.diagnoses, 1):
        _paragraph(console, f" {number}. ", "    ", diagnosis.text)
        _paragraph(console, "    -> ", "       ", diagnosis.advice)
    if not one.diagnoses:
        top = next(iter(one.profile.by("op").items()), None)
        share = f"; most of it is {top[0]}, {percent(top[1] / one.profile.total_us)}" if top else ""
        _paragraph(console, " ", "   ", f"no known cause of slowness{share}")
    if one.differences:
        texts = in_words(one.differences)
        _paragraph(console, " against the baseline: ", "   ", "; ".join(texts) or "no difference")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _against_baseline(console: Screen, one: Explanation) -> None:
    if not one.differences:
        return
    table = _table("against the baseline", "baseline", "this", "difference")
    for d in one.differences:
        sign = "+" if d.more_us > 0 else "-" if d.more_us < 0 else ""
        table.add_row(d.family, _us(d.baseline_us), _us(d.us), sign + _us(abs(d.more_us)))
    console.print()
    console.print(table)


def _operators(console: Screen, one: Explanation) -> None:
    profile, other = one.profile, one.baseline_profile
    table = _table("operators", "nodes", "time", "share", *(("baseline",) if other else ()))
    before = other.by("op") if other else {}
    for op, us in list(profile.by("op").items())[:OPERATORS]:
        cells = [op, str(profile.count({op})), _us(us), percent(us / profile.total_us)]
        table.add_row(*cells, *(([_us(before[op])] if op in before else ["–"]) if other else []))
    outside = ["outside kernels", "", _us(profile.outside_us),
               percent(profile.outside_us / profile.total_us)]  # fmt: skip
    table.add_row(*outside, *([_us(other.outside_us)] if other else []))
    console.print()
    console.print(table)


def _nodes(console: Screen, one: Explanation) -> None:
    table = _table("nodes", "operator", "time", "share")
    for node in one.profile.nodes[:NODES]:
        name = node.name if len(node.name) <= 36 else node.name[:16] + "…" + node.name[-19:]
        share = percent(node.us / one.profile.total_us)
        table.add_row(Text(name), Text(node.op), _us(node.us), share)
    console.print()
    console.print(table)


def plain(one: Explanation) -> dict[str, Any]:
    """An explanation as JSON-ready data; times in microseconds a query."""
    return {
        "trial": one.trial,
        "baseline": one.baseline,
        "ratio": one.ratio,
        "trace": str(one.trace),
        **_profile(one.profile),
        "nodes": [
            {"name": n.name, "op": n.op, "provider": n.provider, "us": n.us, "calls": n.calls,
             "inputs": list(n.inputs)} for n in one.profile.nodes
        ],
        "causes": [
            {"cause": d.cause, "share": d.share, "text": d.text, "advice": d.advice}
            for d in one.diagnoses
        ],
        "differences": [
            {"family": d.family, "baseline_us": d.baseline_us, "us": d.us, "ops": list(d.ops),
             "baseline_ops": list(d.baseline_ops)} for d in one.differences
        ],
        "warnings": list(one.warnings),
    }  # fmt: skip


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "queries": profile.queries,
        "plain_us": profile.plain_us,
        "kernels_us": profile.kernels_us,
        "outside_us": profile.outside_us,
        "ops_us": profile.by("op"),
        "providers_us": profile.by("provider"),
    }
