"""What a continuous integration is told: questions, each passed or failed with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from profiler.analysis.choice.choose import Choice
from profiler.analysis.choice.slo import limits
from profiler.report.tables.render import escaped_markdown
from profiler.results.results import Results
from profiler.schema.columns import interval_of
from profiler.schema.study.measure import Slo
from profiler.statistics.intervals import Estimate
from profiler.units import format_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One question."""

    question: str
    passed: bool
    reason: str


def of_folder(damaged: Sequence[str], choice: Choice, asked: Slo, told: str) -> list[Answer]:
    """Whether all files are as they were written, and whether some trial keeps every limit."""
    whole = "; ".join(damaged) or "every file is as it was written"
    answers = [Answer(question="files", passed=not damaged, reason=whole)]
    if names := list(limits(asked)):
        kept = choice.trial is not None
        answers.append(Answer(question=f"limits: {', '.join(names)}", passed=kept, reason=told))
    return answers


def against(found: Results, reference: Results) -> list[Answer]:
    """Whether each trial that both have is as fast and as accurate as it was there, beyond doubt
    worse fails. The machine's drift is taken out where both folders allow it."""
    answers = []
    for one in found.compare_with(reference):
        how = "" if one.relative_to is None else f", relative to {one.relative_to}"
        answers.append(
            Answer(
                question=f"{one.trial} as fast as in {reference.folder}",
                passed=one.verdict != "slower",
                reason=f"{one.verdict}: {_ratio(one.ratio)}{how}",
            )
        )
    before = {row["trial"]: row for row in reference.rows}
    margin = found.study.measure.margin
    for row in found.rows:
        there = before.get(row["trial"])
        if there is None or row["accuracy"] is None or there["accuracy"] is None:
            continue
        ends, earlier = interval_of(row, "accuracy"), interval_of(there, "accuracy")
        lost = ends is not None and earlier is not None and ends[1] < earlier[0]
        lost = lost and there["accuracy"] - row["accuracy"] > margin
        answers.append(
            Answer(
                question=f"{row['trial']} as accurate as in {reference.folder}",
                passed=not lost,
                reason=f"accuracy {format_percent(row['accuracy'])},"
                f" there {format_percent(there['accuracy'])}",
            )
        )
    return answers


def _ratio(ratio: Estimate) -> str:
    if ratio.low is None or ratio.high is None:
        return f"ratio {ratio.value:.3f} ({ratio.note})"
    return f"ratio {ratio.value:.3f}, {ratio.low:.3f} to {ratio.high:.3f}"


def junit(answers: Sequence[Answer]) -> str:
    """A JUnit report, which CI services show as tests."""
    failed = sum(not one.passed for one in answers)
    suite = ElementTree.Element(
        "testsuite", name="profiler", tests=str(len(answers)), failures=str(failed), errors="0"
    )
    for one in answers:
        case = ElementTree.SubElement(suite, "testcase", classname="profiler", name=one.question)
        if not one.passed:
            ElementTree.SubElement(case, "failure", message=one.reason).text = one.reason
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def github(answers: Sequence[Answer]) -> str:
    """Workflow commands of GitHub Actions: an annotation for each failure."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def title(text: str) -> str:
        return data(text).replace(":", "%3A").replace(",", "%2C")

    return "".join(
        f"::error title={title(one.question)}::{data(one.reason)}\n"
        for one in answers
        if not one.passed
    )


def markdown(answers: Sequence[Answer]) -> str:
    """A summary to be shown beside a change."""
    failed = sum(not one.passed for one in answers)
    head = f"**profiler check: {failed} of {len(answers)} failed**" if failed else (
        f"**profiler check: all {len(answers)} passed**"
    )  # fmt: skip
    lines = [
        f"| {'✓' if one.passed else '✗'} | {escaped_markdown(one.question)} |"
        f" {escaped_markdown(one.reason)} |"
        for one in answers
    ]
    return "\n".join([head, "", "| | question | answer |", "|---|---|---|", *lines]) + "\n"
