"""`check`: how far the numbers can be trusted, and whether the limits are kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from profiler.analysis.choice.slo import parse_limits
from profiler.analysis.trials.stability import Finding, of_machine, of_results
from profiler.commands.look import console, print_json
from profiler.errors import InputError
from profiler.report import gate
from profiler.report.brief import choice_text
from profiler.results.results import Results
from profiler.store.reading import DAMAGED
from profiler.store.record import wrong_files
from profiler.wire.codec import encode, nearest
from profiler.wire.whole import write_whole

_MARKS = {
    "good": "[green]good[/green]     ",
    "note": "note     ",
    "problem": "[red]problem[/red]  ",
}
FORMS = ("text", "json", "markdown", "github")


def print_findings(findings: Sequence[Finding]) -> None:
    """Each finding, and below it what to do."""
    from rich.markup import escape
    from rich.padding import Padding

    out = console()
    for finding in findings:
        out.print(f"{_MARKS[finding.level]}{escape(finding.text)}")
        if finding.advice:
            out.print(Padding(escape(f"try: {finding.advice}"), (0, 0, 0, 9)))


def results(
    found: Results,
    given: Mapping[str, str],
    reference: Optional[Results],
    *,
    form: str,
    junit: Optional[Path],
) -> bool:
    """Print stability and the verdict; True when a trial demonstrably keeps every limit, every
    file is whole, and nothing is worse than in the reference folder."""
    if form not in FORMS:
        raise InputError(
            f"--format: expected one of {', '.join(FORMS)}, got {form!r}",
            hint=nearest(form, FORMS),
        )
    wrong = found.derived.kept("files", {}, lambda: wrong_files(found.folder, found.prepared))
    damaged = [*(f"left out: {text}" for text in found.faults), *wrong]
    own = found.study.own_metric
    asked = parse_limits(given, own_metric=own) if given else found.study.slo
    choice = found.choose(**given)
    answers = gate.of_folder(damaged, choice, asked, choice_text(choice))
    if reference is not None:
        answers += gate.against(found, reference)
    passed = all(answer.passed for answer in answers)
    if junit is not None:
        write_whole(junit, gate.junit(answers).encode())
    if form == "markdown":
        sys.stdout.write(gate.markdown(answers))
        return passed
    if form == "github":
        sys.stdout.write(gate.github(answers))
        return passed
    findings = [
        *(Finding(level="problem", text=text, advice=DAMAGED) for text in damaged),
        *of_results(found.rows, found.samples, found.study.measure.precision),
    ]  # fmt: skip
    machines = {name: of_machine(facts) for name, facts in found.facts().items()}
    slo = next((answer for answer in answers if answer.question.startswith("limits")), None)
    if form == "json":
        print_json(
            {
                "results": encode(findings),
                "machines": encode(machines),
                "choice": encode(choice),
                "slo": "met" if slo is None or slo.passed else "missed or undecided",
                "answers": encode(answers),
            }
        )
        return passed
    print_findings(findings)
    for name, of_target in machines.items():
        console().print(f"\n{name}, when it was measured", markup=False)
        print_findings(of_target)
    met = "SLO met" if slo is None or slo.passed else "SLO not met"
    console().print(f"\n{met}: {choice_text(choice)}", markup=False)
    for answer in answers:
        if answer.question != "files" and not answer.question.startswith("limits"):
            mark = "passed" if answer.passed else "FAILED"
            console().print(f"{mark}  {answer.question}: {answer.reason}", markup=False)
    return passed
