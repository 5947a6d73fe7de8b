"""`check`: how far the numbers can be trusted, and whether the limits are kept."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analysis.choice.slo import limits
from profiler.analysis.trials.stability import Finding, of_machine, of_results
from profiler.commands.look import console, print_json
from profiler.report.brief import choice_text
from profiler.results.results import Results
from profiler.store.reading import DAMAGED
from profiler.store.record import wrong_files
from profiler.wire.codec import encode

_MARKS = {
    "good": "[green]good[/green]     ",
    "note": "note     ",
    "problem": "[red]problem[/red]  ",
}


def print_findings(findings: Sequence[Finding]) -> None:
    """Each finding, and below it what to do."""
    from rich.markup import escape
    from rich.padding import Padding

    out = console()
    for finding in findings:
        out.print(f"{_MARKS[finding.level]}{escape(finding.text)}")
        if finding.advice:
            out.print(Padding(escape(f"try: {finding.advice}"), (0, 0, 0, 9)))


def results(found: Results, *, json: bool) -> bool:
    """Print stability and the verdict; True when a trial demonstrably keeps every limit."""
    wrong = found.derived.kept("files", {}, lambda: wrong_files(found.folder, found.prepared))
    damaged = [*(f"left out: {text}" for text in found.faults), *wrong]
    findings = [
        *(Finding(level="problem", text=text, advice=DAMAGED) for text in damaged),
        *of_results(found.rows, found.samples, found.study.measure.precision),
    ]  # fmt: skip
    machines = {name: of_machine(facts) for name, facts in found.facts().items()}
    choice = found.choose()
    met = choice.trial is not None or not limits(found.study.slo)
    if json:
        print_json(
            {
                "results": encode(findings),
                "machines": encode(machines),
                "choice": encode(choice),
                "slo": "met" if met else "missed or undecided",
            }
        )
        return met
    print_findings(findings)
    for name, of_target in machines.items():
        console().print(f"\n{name}, when it was measured", markup=False)
        print_findings(of_target)
    verdict = "SLO met" if met else "SLO not met"
    console().print(f"\n{verdict}: {choice_text(choice)}", markup=False)
    return met
