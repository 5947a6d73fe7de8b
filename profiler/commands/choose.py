"""`choose`: one variant under limits, or the machines that serve a load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from profiler.analysis.choice.fleet import Deployment, Fleet
from profiler.commands.look import escaped, print_json, print_kept
from profiler.commands.progress_bar import Screen
from profiler.errors import InputError
from profiler.results.results import Results
from profiler.units import counted, format_rate
from profiler.wire.codec import encode, nearest

MOST = 8
"""deployments that are shown"""


def choose(
    results: Results,
    limits: Mapping[str, str],
    objective: str | None = None,
    targets: Sequence[str] = (),
    *,
    explore: bool = False,
    json: bool,
) -> None:
    """Print the choice, and why each other trial is not it; or what looser limits would choose."""
    from profiler.report.brief import choice_text
    from profiler.report.reasons import grouped
    from profiler.schema.study.metrics import METRICS

    if objective is not None and objective not in METRICS:
        raise InputError(
            f"--objective: expected one of {', '.join(METRICS)}, got {objective!r}",
            hint=nearest(objective, METRICS),
        )
    question = {**limits, "objective": objective, "targets": list(targets), "explore": explore}

    def draw(out: Screen) -> None:
        choice = results.choose(objective=objective, targets=targets, **limits)
        out.print(f"[bold]choice[/bold]  {escaped(choice_text(choice))}")
        for text in choice.warnings:
            out.print(f"[yellow]warning[/yellow] {escaped(text)}")
        if explore:
            steps = results.explore(objective=objective, targets=targets, **limits)
            for step in steps:
                out.print(f"{step.limit} from {step.value} on: {step.trial}", markup=False)
            if not steps:
                out.print("no looser limit, alone, would choose another one")
            return
        for title, trials in (("undecided", choice.undecided), ("not chosen", choice.rejected)):
            for line in grouped(trials):
                out.print(f"{title}: {line}", markup=False)

    def made() -> object:
        if explore:
            return encode(results.explore(objective=objective, targets=targets, **limits))
        return encode(results.choose(objective=objective, targets=targets, **limits))

    if json:
        print_json(results.derived.kept("choice", question, made))
    else:
        print_kept(results, "choose", question, draw)


def fleet(
    results: Results,
    limits: Mapping[str, str],
    load: str,
    budget: str | None,
    targets: Sequence[str],
    *,
    json: bool,
) -> None:
    """Print the machines that serve a load, the cheapest first."""
    from profiler.report.reasons import grouped

    question = {**limits, "load": load, "budget": budget, "targets": list(targets)}

    def made() -> Fleet:
        return results.fleet(load, budget=budget, targets=targets, **limits)

    def draw(out: Screen) -> None:
        found = made()
        out.print(f"[bold]choice[/bold]  {escaped(_sentence(found))}")
        if found.deployments:
            out.print()
            out.print(_table(found.deployments[:MOST]))
            if len(found.deployments) > MOST:
                out.print(f"{len(found.deployments) - MOST} more with --json")
            out.print(
                "One process a machine, as measured; machines for the low end of the capacity's"
                " 95 % interval, in brackets for its high end."
            )
            for price in dict.fromkeys(d.price for d in found.deployments if d.price):
                out.print(f"price: {escaped(price)}, declared; a month has 730.5 h")
        for line in grouped(found.rejected):
            out.print(f"not chosen: {line}", markup=False)

    if json:
        print_json(results.derived.kept("fleet", question, lambda: encode(made())))
    else:
        print_kept(results, "fleet", question, draw)


def _sentence(found: Fleet) -> str:
    best = found.chosen
    if best is None:
        return f"{found.reason[0].upper()}{found.reason[1:]} (load {format_rate(found.load)})."
    cost = f", {_monthly(best)} a month" if best.monthly is not None else ""
    return (
        f"{best.trial}: {counted(best.machines, 'machine')} of {best.target} for"
        f" {format_rate(found.load)}{cost}: {found.reason} of"
        f" {counted(len(found.deployments), 'trial')} that keep the limits."
    )


def _monthly(one: Deployment) -> str:
    if one.monthly is None or one.monthly_least is None:
        return "–"
    least = "" if one.monthly == one.monthly_least else f" ({one.monthly_least:.0f})"
    return f"{one.monthly:.0f}{least} {one.currency}"


def _table(deployments: Sequence[Deployment]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("trial", "capacity", "machines", "a month"):
        left = heading == "trial"
        shown.add_column(heading, justify="left" if left else "right", overflow="fold")
    for one, name in zip(deployments, _short([d.trial for d in deployments]), strict=True):
        least = "" if one.machines == one.machines_least else f" ({one.machines_least})"
        shown.add_row(
            escaped(name), format_rate(one.capacity), f"{one.machines}{least}", _monthly(one)
        )
    return shown


def _short(trials: Sequence[str]) -> list[str]:
    """Names without the settings that all of them share: 'mlp/fp32 t1'."""
    split = [(name.partition("@")[0], name.partition("@")[2].split("/")) for name in trials]
    shared = set.intersection(*(set(parts) for _, parts in split)) if len(split) > 1 else set()
    return [" ".join([name, *(p for p in parts if p not in shared)]) for name, parts in split]
