"""From results to what a report shows: facts in words, settings, warnings and the choice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from profiler.analysis.choice.choose import Choice
from profiler.analysis.choice.slo import limits
from profiler.report.model.cells import Column, Line, Sheet
from profiler.report.model.contents import ReportInput, StressSection
from profiler.report.reasons import grouped
from profiler.report.warnings import warnings
from profiler.results.results import Results
from profiler.schema.columns import interval_of, row_of
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.study.metrics import METRICS
from profiler.units import format_duration, format_elapsed, format_percent, format_size


def brief(results: Results) -> ReportInput:
    """Everything the report room needs, as text and one frame."""
    study = results.study
    choice = results.choose()
    facts = results.facts()
    return ReportInput(
        frame=results.table(),
        study_name=study.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        targets=tuple(describe(name, f, results.targets.get(name)) for name, f in facts.items()),
        artifacts=tuple(_artifact(a) for a in results.prepared.artifacts.values()),
        choice="\n".join(filter(None, (choice_text(choice), confirmation_text(results, choice)))),
        runners_up=tuple(grouped(choice.rejected)),
        settings=settings(results),
        warnings=tuple(warnings(results)),
        objectives=axes(results),
        limits=limits(study.slo),
        equivalence=study.measure.equivalence,
        stress=stress_sections(results),
        reliability=reliability(results),
        sheets=(*accuracy_sheets(results), reproducibility_sheet(results)),
    )


def reproducibility_sheet(results: Results) -> Sheet:
    """The card of twelve points."""
    points = results.reproducibility()
    held = sum(point.holds for point in points)
    return Sheet(
        title=f"Reproducibility: {held} of {len(points)} points hold",
        columns=tuple(Column(title=t, number=False) for t in ("point", "holds", "recorded")),
        lines=tuple(
            Line(standing="plain", cells=(p.name, "yes" if p.holds else "no", p.detail))
            for p in points
        ),
    )


def reliability(results: Results) -> dict[str, list[dict[str, float]]]:
    """Bins of the first trial of each variant: threads and scenario change no score."""
    if results.prepared.evaluation is None:
        return {}
    first: dict[tuple[str, str], str] = {}
    for trial in results.outputs:
        found = results.trials[trial]
        if found.target == results.study.targets[0]:
            first.setdefault((found.model, found.variant), trial)
    bins = {
        f"{m} {v}": results.accuracy.metrics(t).get("reliability") for (m, v), t in first.items()
    }
    return {name: found for name, found in bins.items() if found}


def accuracy_sheets(results: Results) -> tuple[Sheet, ...]:
    """Tables on predictions; empty without an evaluation set."""
    from profiler.report.tables import accuracy as sheets

    if results.prepared.evaluation is None:
        return ()
    found, known = results.accuracy, list(results.outputs)
    made = (
        sheets.metrics_sheet({t: found.metrics(t) for t in known}, found.titles, results.rows),
        sheets.agreement_sheet(results.rows),
        sheets.damage_sheet({t: found.damage(t) for t in known}),
    )
    return tuple(sheet for sheet in made if sheet is not None)


def stress_sections(results: Results) -> tuple[StressSection, ...]:
    """One section for each model on each target that was stressed."""
    stress = results.stress
    stressed = {p.trial for p in stress.points} | {r.trial for r in stress.probes}
    stressed |= {f.trial for f in stress.failures}
    trials = [t for name, t in results.trials.items() if name in stressed]
    sections = []
    for model, target in dict.fromkeys((t.model, t.target) for t in trials):
        members = [t for t in trials if (t.model, t.target) == (model, target)]
        names = {t.id: t.variant for t in sorted(members, key=lambda t: not t.is_baseline)}
        if len(set(names.values())) < len(names):  # a sweep: its settings tell recipes apart
            names = {t.id: _recipe_name(t) for t in members}
        evaluation = results.prepared.evaluation
        sections.append(
            StressSection(
                name=f"{model} on {target}",
                variants=names,
                points=[p for p in stress.points if p.trial in names],
                probes=[r for r in stress.probes if r.trial in names],
                margin=stress.margin,
                labelled=evaluation is not None and evaluation.labels is not None,
                notes=[
                    *(results.study.stress.left_out if results.study.stress else ()),
                    *(f"{names[t]}: {text}" for t in names for text in stress.mishaps(t)),
                ],
            )
        )  # fmt: skip
    return tuple(sections)


def _recipe_name(trial: Trial) -> str:
    swept = {**trial.session_options, **trial.provider_options, **trial.shapes}
    settings = (f"{key.rsplit('.', 1)[-1]}={value}" for key, value in swept.items())
    return " ".join([trial.variant, trial.provider, trial.optimization, *settings])


def axes(results: Results) -> tuple[str, str]:
    """The first two objectives of the study; one alone is drawn against accuracy."""
    chosen = [name for name in results.study.objectives if METRICS[name].title] or ["p50"]
    return chosen[0], (chosen[1] if len(chosen) > 1 else "accuracy")


def choice_text(choice: Choice) -> str:
    """The recommendation as one sentence."""
    if choice.trial is None:
        return choice.reason[0].upper() + choice.reason[1:] + "."
    return f"{choice.trial}: {choice.reason}."


def confirmation_text(results: Results, choice: Choice) -> str:
    """How the chosen trial did on rows that had no part in the choice; empty without such rows."""
    told = None if choice.trial is None else results.confirmed(choice.trial)
    if told is None or results.confirmation is None:
        return ""
    row = row_of(told)
    text = f"On {len(results.confirmation.numbers)} confirmation rows, unseen by the choice: "
    if row["accuracy"] is None:
        return text + f"agreement {format_percent(row['agreement'])}."
    text += f"accuracy {format_percent(row['accuracy'])}"
    if ends := interval_of(row, "accuracy"):
        low, high = map(format_percent, ends)
        text += f" ({low} to {high})"
    if row["quality"] is not None:
        needed = row["quality_n_needed"]
        more = f", needs n = {needed}" if row["quality"] == "undecided" and needed else ""
        text += f", against its baseline: {row['quality']}{more}"
    return text + "."


def describe(name: str, facts: Mapping[str, Any], target: Target | None = None) -> dict[str, str]:
    """Facts of one target as label -> text; what the device does not offer says so.

    With a `target` that uses a GPU the machine is named after that card first.
    """

    def text(value: Any) -> str:
        if value is None or value == "" or value == {}:
            return "not available"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return str(value)

    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm", "sve")
    flags = [flag for flag in wanted if flag in facts.get("cpu_flags", ())]
    machine = facts.get("device") or facts.get("cpu")
    return {
        "target": name,
        "machine": text(", ".join([*_card(facts, target), *filter(None, [machine])])),
        "architecture": text(facts.get("architecture")),
        "cores": f"{facts.get('usable_cores')} of {facts.get('cores')} usable",
        "memory": format_size(facts.get("memory_bytes")),
        "instructions": text(", ".join(flags)),
        "virtualised": text(facts.get("virtualised")),
        "governor": text(facts.get("governor")),
        **({"power mode": text(facts["power_mode"])} if facts.get("power_mode") else {}),
        "turbo": text(facts.get("turbo")),
        "clock source": text(facts.get("clocksource")),
        "huge pages": text(facts.get("huge_pages")),
        "microcode": text(facts.get("microcode")),
        "system": f"{text(facts.get('os'))}, kernel {text(facts.get('kernel'))}",
        "python": text(facts.get("python")),
        "onnxruntime": text(facts.get("onnxruntime")),
        "providers": text(", ".join(facts.get("providers", ()))),
    }


def _card(facts: Mapping[str, Any], target: Target | None) -> list[str]:
    """The name of the GPU that the target selects; nothing where it uses none."""
    asked = None if target is None or target.gpu is None else target.gpu.select
    cards = facts.get("gpus") or ()
    return [str(c["name"]) for c in cards if asked in (str(c["index"]), c["uuid"]) and c["name"]]


def _stops(results: Results) -> list[str]:
    """What ended each group."""
    why = results.stopped_by()
    return [f"{g.target}, {len(g.trials)} trials: {why[g.index]}" for g in results.plan.groups]


def settings(results: Results) -> dict[str, Any]:
    """How it was measured."""
    measure = results.study.measure
    rounds = [row.round + 1 for row in results.rounds]
    git = results.meta["fingerprint"].get("git")
    shown: dict[str, Any] = {
        "rounds": f"{max(rounds, default=0)} of fresh processes, interleaved in random order",
        "interval": "95 %, across rounds; every query of a round belongs to one process",
        "precision asked": f"±{format_percent(measure.precision)}",
        "budget asked": f"{format_duration(measure.budget)} a group",
        "stopped by": "; ".join(_stops(results)),
        "time measured": format_elapsed(sum(row.elapsed_s for row in results.rounds)),
        "round time": f"{format_duration(measure.round_time)} a trial",
        "equivalence": f"±{format_percent(measure.equivalence)} latency",
        "accuracy margin": f"{measure.margin * 100:g} percentage points",
        "seed": results.study.seed,
        "study hash": results.meta["study_hash"][:16],
    }
    evaluation = results.prepared.evaluation
    if evaluation is not None:
        shown["evaluation rows"] = evaluation.rows
        majority = results.majority_share()
        if majority is not None:
            shown["majority class"] = f"{format_percent(majority)} right by always saying it"
    if git is not None:
        shown["study's git commit"] = git["commit"][:12] + (" + changes" if git["dirty"] else "")
    return shown


def _artifact(artifact: Any) -> dict[str, Any]:
    parity = artifact.parity
    return {
        "model": artifact.model,
        "variant": artifact.variant,
        "sha": artifact.sha,
        "bytes": artifact.bytes,
        "made_by": dict(artifact.made_by),
        "parity": None
        if parity is None
        else f"largest difference {parity.max_abs_error:.2g} on {parity.rows} rows"
        f" (allowed {parity.tolerance:.2g}, output {parity.worst_output})",
    }
