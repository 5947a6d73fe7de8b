"""The command line: parse, call, print. Heavy imports happen inside the commands.

Exit codes: 0 done · 1 `check`: SLO missed or undecided · 2 bad input · 3 target or transport
failed · 130 stopped by the user.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":  # nothing of what follows may be imported there
    from profiler import NEEDS

    sys.stderr.write(f"error: {NEEDS}\nhint: wsl --install, then install profiler inside WSL\n")
    sys.exit(2)

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from profiler.commands import options as limit
from profiler.commands.letters import forgive, shown
from profiler.commands.options import Folder, Output, Price, Quiet, Spot, Target, opened
from profiler.commands.targets_app import Json, targets
from profiler.errors import InputError, ProfilerError

if TYPE_CHECKING:
    pass

app = typer.Typer(
    help="Which variant of my model, on which hardware, at what cost, and how sure are you?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_state = {"debug": False}


@app.callback()
def options(
    debug: Annotated[bool, typer.Option(help="Show tracebacks of errors.")] = False,
) -> None:
    """Options of every command."""
    _state["debug"] = debug


@app.command()
def run(
    what: Annotated[Path, typer.Argument(help="A study (.toml) or a model (.onnx).")],
    output: Output = None,
    target: Target = None,
    budget: Annotated[Optional[str], typer.Option(help="Time for each group, e.g. 30s.")] = None,
    precision: Annotated[Optional[str], typer.Option(help="Half-width to reach, e.g. 1%.")] = None,
    shape: Annotated[
        Optional[list[str]], typer.Option(help="Model only: NAME=SIZE[,SIZE] of an open dimension.")
    ] = None,
    variants: Annotated[
        Optional[str], typer.Option(help="Model only: fp32,int8-dynamic,...")
    ] = None,
    threads: Annotated[Optional[str], typer.Option(help="Model only: thread counts, 1,2.")] = None,
    batch: Annotated[Optional[str], typer.Option(help="Model only: offline batches, 8,32.")] = None,
    batch_axis: Annotated[
        Optional[list[str]], typer.Option(help="Model only: INPUT=AXIS that counts samples, x=1.")
    ] = None,
    data: Annotated[Optional[Path], typer.Option(help="Model only: .npz, .csv, .parquet.")] = None,
    labels: Annotated[Optional[str], typer.Option(help="Model only: column of labels.")] = None,
    judge: Annotated[
        Optional[str], typer.Option(help="Model only: output that the labels judge.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a study or a single model, and show the frontier."""
    from profiler.commands import measure

    study = measure.study_from(
        what,
        targets=target or [],
        limits={k: v for k, v in (("budget", budget), ("precision", precision)) if v},
        model_options={
            "shapes": shape or [], "variants": variants, "threads": threads, "batch": batch,
            "batch_axes": batch_axis or [], "data": data, "labels": labels, "judge": judge,
        },
    )  # fmt: skip
    folder = output or measure.default_folder(what, study)
    measure.run(study, folder, quiet=quiet, json=json)


@app.command()
def demo(
    output: Output = None,
    target: Target = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train small models on scikit-learn's digits, profile their variants, draw the frontier."""
    from profiler.commands import measure

    study = measure.study_from(
        measure.demo_study(Path("profiler-demo")), targets=target or [], limits={}
    )
    measure.run(study, output or Path("results") / study.name, quiet=quiet, json=json)


@app.command()
def plan(
    what: Annotated[Path, typer.Argument(help="A study (.toml).")],
    json: Json = False,
) -> None:
    """Show trials, exclusions with reasons, and the estimated time. Runs nothing."""
    from profiler.commands import look

    look.plan(what, json=json)


app.add_typer(targets, name="targets")


@app.command()
def table(
    results: Folder,
    json: Json = False,
    form: Annotated[
        str, typer.Option("--format", help="text, markdown, csv or json; see also --metric.")
    ] = "text",
    metric: Annotated[
        Optional[str],
        typer.Option(help="Targets side by side: p50,cost,...; also --format latex or html."),
    ] = None,
    rows: Annotated[str, typer.Option(help="With --metric: variant, target, ...")] = "variant",
    columns: Annotated[str, typer.Option(help="With --metric: target, threads, ...")] = "target",
    blind: Annotated[bool, typer.Option("--blind", help="With --metric: hide names.")] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With --metric: whose they are.")
    ] = False,
    yardstick: Annotated[
        bool,
        typer.Option(
            "--yardstick",
            help="Also latencies as multiples of a small fixed model's, which compare over months;"
            " csv and json always have them.",
        ),
    ] = False,
    price: Price = None,
    spot: Spot = False,
) -> None:
    """Print the table of a results folder."""
    from profiler.commands import look

    found = opened(results, prices=price, spot=spot)
    if metric is None:
        look.table(found, "json" if json else form, yardstick=yardstick)
        return
    from profiler.commands.pivot import pivot

    pivot(
        found, "json" if json else form, metrics=metric.split(","), rows=rows, columns=columns,
        blind=blind, reveal=reveal,
    )  # fmt: skip


@app.command()
def report(
    results: Folder,
    output: Output = None,
    wall_meter: Annotated[
        Optional[Path],
        typer.Option(help="CSV of trial, energy_j_per_query from your meter.", metavar="FILE"),
    ] = None,
    price: Price = None,
    spot: Spot = False,
    json: Json = False,
) -> None:
    """Write the frontier (PNG, SVG), the HTML page and the tables of a results folder."""
    from profiler.commands import look

    look.report(opened(results, wall_meter, price, spot), output or results, json=json)


@app.command()
def choose(
    results: Folder,
    p50: limit.P50 = None,
    p90: limit.P90 = None,
    p99: limit.P99 = None,
    max_drop: limit.MaxDrop = None,
    min_accuracy: limit.MinAccuracy = None,
    memory: limit.Memory = None,
    size: limit.Size = None,
    energy: limit.Energy = None,
    cost: limit.CostLimit = None,
    target: Target = None,
    load: Annotated[
        Optional[str], typer.Option(help="Serve 500/s: machines, and cost a month.")
    ] = None,
    budget: Annotated[
        Optional[str], typer.Option(help="With --load: at most '300 USD/month'.")
    ] = None,
    price: Price = None,
    spot: Spot = False,
    objective: Annotated[
        Optional[str], typer.Option(help="What to be best in: p50, throughput, cost, size, ...")
    ] = None,
    explore: Annotated[
        bool, typer.Option("--explore", help="Say what looser limits would choose.")
    ] = False,
    json: Json = False,
) -> None:
    """Recommend one variant under limits (default: the study's SLO), with the reason."""
    from profiler.commands import choose as command

    given = limit.limits(
        p50=p50, p90=p90, p99=p99, max_drop=max_drop, min_accuracy=min_accuracy, memory=memory,
        size=size, energy=energy, cost=cost,
    )  # fmt: skip
    if load is None and budget is not None:
        raise InputError("--budget goes with --load", hint="add e.g. --load 500/s")
    if load is not None and objective is not None:
        raise InputError("--objective: with --load it is the cost", hint="leave one of them out")
    found, targets = opened(results, prices=price, spot=spot), target or []
    if load is None:
        command.choose(found, given, objective, targets, explore=explore, json=json)
    else:
        command.fleet(found, given, load, budget, targets, json=json)


@app.command()
def compare(
    what: Annotated[
        Path, typer.Argument(help="A results folder or a model (.onnx).", metavar="RESULTS|MODEL")
    ],
    first: Annotated[str, typer.Argument(help="Trial, a second results folder, or model.")],
    second: Annotated[
        Optional[list[str]], typer.Argument(help="One or more to compare with.")
    ] = None,
    output: Output = None,
    target: Target = None,
    budget: Annotated[Optional[str], typer.Option(help="Models only: time, e.g. 30s.")] = None,
    precision: Annotated[
        Optional[str], typer.Option(help="Models only: half-width to reach, e.g. 0.5%.")
    ] = None,
    shape: Annotated[
        Optional[list[str]],
        typer.Option(help="Models only: NAME=SIZE[,SIZE] of an open dimension."),
    ] = None,
    batch_axis: Annotated[
        Optional[list[str]], typer.Option(help="Models only: INPUT=AXIS that counts samples, x=1.")
    ] = None,
    threads: Annotated[Optional[str], typer.Option(help="Models only: thread counts, 1,2.")] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare trials, two results folders, or model files: effect, interval, and a verdict.

    profiler compare RESULTS TRIAL TRIAL, profiler compare RESULTS RESULTS, or
    profiler compare A.onnx B.onnx, which measures both in the same rounds.
    """
    from profiler.commands import compare as command

    limits = {k: v for k, v in (("budget", budget), ("precision", precision)) if v}
    if what.suffix == ".onnx":
        files = [what, Path(first), *map(Path, second or [])]
        options = {
            "targets": target or [], "measure": limits, "shapes": shape or [], "threads": threads,
            "batch_axes": batch_axis or [],
        }  # fmt: skip
        command.models(files, output, options, quiet=quiet, json=json)
        return
    given = {
        "output": output, "target": target, "shape": shape, "batch-axis": batch_axis,
        "threads": threads, **limits,
    }  # fmt: skip
    for name, value in given.items():
        if value:
            raise InputError(
                f"--{name} goes with model files; {what} holds results",
                hint="profiler compare A.onnx B.onnx measures; RESULTS are only read",
            )
    if second:
        command.trials(opened(what), first, second, json=json)
    else:
        command.folders(opened(what), opened(Path(first)), json=json)


@app.command()
def check(
    results: Folder,
    against: Annotated[
        Optional[Path], typer.Option(help="A folder that it must not be worse than.")
    ] = None,
    p50: limit.P50 = None,
    p90: limit.P90 = None,
    p99: limit.P99 = None,
    max_drop: limit.MaxDrop = None,
    min_accuracy: limit.MinAccuracy = None,
    memory: limit.Memory = None,
    size: limit.Size = None,
    energy: limit.Energy = None,
    cost: limit.CostLimit = None,
    price: Price = None,
    form: Annotated[
        str, typer.Option("--format", help="text, json, markdown, or github: annotations.")
    ] = "text",
    junit: Annotated[Optional[Path], typer.Option(help="Also write JUnit XML here.")] = None,
    json: Json = False,
) -> None:
    """Say how far the numbers can be trusted, and whether limits are met (exit code 1 if not)."""
    from profiler.commands import check as command

    given = limit.limits(
        p50=p50, p90=p90, p99=p99, max_drop=max_drop, min_accuracy=min_accuracy, memory=memory,
        size=size, energy=energy, cost=cost,
    )  # fmt: skip
    reference = None if against is None else opened(against)
    found = opened(results, prices=price)
    if not command.results(found, given, reference, form="json" if json else form, junit=junit):
        raise typer.Exit(1)


@app.command()
def explain(
    results: Folder,
    what: Annotated[
        Optional[str],
        typer.Argument(help="A trial, variant or model; default: all.", metavar="[TRIAL|VARIANT]"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Trace again on the target.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Run the torch source that RESULTS names, unasked.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say where the time goes, and why a variant is slower or faster than its baseline."""
    from profiler.commands import explain as command

    command.explain(opened(results), what, fresh=fresh, yes=yes, quiet=quiet, json=json)


@app.command()
def flips(
    results: Folder,
    trial: Annotated[str, typer.Argument(help="Trial, e.g. convnet/int8-static")],
    form: Annotated[str, typer.Option("--format", help="text, csv or json.")] = "text",
) -> None:
    """List the evaluation rows that a variant answers differently from its baseline."""
    from profiler.commands import look

    look.flips(opened(results), trial, form)


@app.command()
def stress(results: Folder, json: Json = False) -> None:
    """Show what perturbed rows take from each variant beyond its baseline, and how it fails."""
    from profiler.commands import look

    look.stress(opened(results), json=json)


def main() -> None:
    """Entry point: the only place that turns errors into messages and exit codes."""
    forgive(sys.stdout, sys.stderr)
    try:
        if code := app(standalone_mode=False):  # that of a typer.Exit
            sys.exit(code)
    except ProfilerError as error:
        if _state["debug"]:
            raise
        print(f"error: {shown(error.message)}", file=sys.stderr)  # noqa: T201
        if error.hint:
            print(f"hint: {shown(error.hint)}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except Exception as error:
        usage = _usage(error)
        if usage is None:
            raise
        print(f"error: {shown(usage)}\nhint: profiler --help", file=sys.stderr)  # noqa: T201
        sys.exit(InputError.exit_code)


def _usage(error: Exception) -> str | None:
    """The message of a wrong option or argument; None for any other exception."""
    message = getattr(error, "format_message", None)
    return str(message()) if callable(message) else None
