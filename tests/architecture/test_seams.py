"""What a stranger may add from the outside: one entry each, and the module it names."""

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import onnx
import pandas as pd
import pytest

import profiler
from profiler.analysis.choice.choose import choose
from profiler.analysis.choice.frontier import mark_frontier
from profiler.analysis.trials.known_failures import explained
from profiler.errors import DataError, StudyError
from profiler.planning.lacking import Machine, elsewhere, lacks
from profiler.report.brief import accuracy_sheets
from profiler.report.model.formats import axes_for, axis_for
from profiler.report.tables import render
from profiler.schema.columns import row_of
from profiler.schema.device.target import Target
from profiler.schema.study.data import DataSpec
from profiler.schema.study.measure import Slo
from profiler.schema.study.metrics import METRICS, Metric
from profiler.schema.study.recipes import RECIPES, RecipeEntry
from profiler.schema.study.stress import KINDS, StressSpec
from profiler.schema.study.study import Study
from profiler.schema.study.tasks import TASKS, TaskEntry
from profiler.schema.study.variant import VariantSpec
from profiler.stress.perturb import PERTURBATIONS, perturb
from profiler.transport import payload
from profiler.wire import scenarios
from profiler.wire.codec import DecodeError, decode
from profiler.wire.messages import Job
from profiler.wire.providers import PROVIDERS, Place, Provider, short
from profiler.worker.instruments.cpus import solo

TOY = "ToyExecutionProvider"


def test_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Provider(
        TOY,
        target="toy",
        packages="onnxruntime-toy",
        on_cpu=True,
        place=Place(architectures=("toy64",), absent="not for {architecture}", advice="buy one"),
        failures=(("toy is broken", "wind it up"),),
    )
    plain = Job(trial="t", provider=TOY, threads=1)
    assert not solo(plain), "of what nobody knows, nothing is assumed"
    monkeypatch.setitem(PROVIDERS, TOY, entry)
    assert solo(plain), "its one-thread trials share a CPU"
    target = Target(name="toy", provider=TOY)
    facts = {"onnxruntime": "1", "numpy": "2", "providers": ["CPUExecutionProvider"]}
    found = lacks(target, facts)
    assert found is not None
    assert 'use targets = ["toy"], or pip install onnxruntime-toy' in found[1]
    here = Machine(system="Linux", architecture="x86_64", intel=True, gpu=False, rocm=False)
    assert elsewhere(target, here) == ("not for x86_64", "buy one")
    assert "wind it up" in explained("error: toy is broken", TOY)
    assert short(TOY) == "Toy"


def toy_recipe() -> ModuleType:
    """Rounds weights to one decimal."""
    module = ModuleType("toy_recipe")

    def make(request: Any) -> Path:
        model = onnx.load(request.source)
        for tensor in model.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim == 2:
                rounded = np.round(values, 1)
                tensor.CopyFrom(onnx.numpy_helper.from_array(rounded, tensor.name))
        path = Path(request.scratch) / "toy.onnx"
        onnx.save(model, path)
        return path

    module.VERSION = 1  # type: ignore[attr-defined]
    module.parameters = lambda spec: {"keep_float": " ".join(spec.keep_float)}  # type: ignore[attr-defined]
    module.make = make  # type: ignore[attr-defined]
    return module


@pytest.mark.usefixtures("one_round")
def test_a_recipe_and_a_perturbation(
    monkeypatch: pytest.MonkeyPatch, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "toy_recipe", toy_recipe())
    words = {"some": {"keep_float": ("nothing",)}}
    entry = RecipeEntry(module="toy_recipe", settings=("keep_float",), words=words, least_db=5.0)
    monkeypatch.setitem(RECIPES, "toy", entry)
    assert VariantSpec.from_text("toy:some").keep_float == ("nothing",)
    monkeypatch.setitem(KINDS, "tabular", (*KINDS["tabular"], "halved"))
    monkeypatch.setitem(PERTURBATIONS, "halved", lambda values, severity, random: values / 2)
    assert "halved" in StressSpec(perturbations=("tabular",)).names
    half = perturb(np.ones((2, 2), np.float32), "halved", 1, seed=0, tensor="x", limits=())
    assert half.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    study = make_study(
        'variants = ["fp32", "toy"]\n[stress]\nperturbations = ["halved"]\nseverities = [1]\n'
        'probes = false\n[measure]\nbudget = "9s"\nround_time = "20ms"\nmin_rounds = 4\n'
        "max_rounds = 4\n"
    )
    results = profiler.run(Study.read(study), tmp_path / "out")
    rows = results.table().set_index("variant")
    assert rows.loc["toy", "status"] == "ok", rows.loc["toy", "reason"]
    assert np.isfinite(rows.loc["toy", "sqnr_db"])
    assert {point.perturbation for point in results.stress.points} == {"halved"}
    shutil.rmtree(tmp_path / "out")


def toy_task() -> ModuleType:
    """Grades from 0 to 2: an answer one grade off is half right."""
    from profiler.statistics.once import once
    from profiler.tasks import verdicts
    from profiler.tasks.labels import check_numbers
    from profiler.tasks.outputs import predicted_classes
    from profiler.tasks.stressed import ByClass
    from profiler.tasks.task import Answers, Columns, Task, Truth

    def nearness(output: Any, truth: Truth) -> Any:
        return 1 - np.abs(predicted_classes(output) - truth.known) / 2

    class Grades(Task):
        titles: ClassVar[Mapping[str, str]] = {"off": "off by a grade %", "worst": "worst"}
        one_class = True
        stressed = ByClass()

        def labels(self, spec: DataSpec, column: Any, where: str) -> Any:
            check_numbers(column, where)
            if column.max() > 2:
                raise DataError(f"{where}: there is no grade {column.max()}")
            return column.astype(np.int64)

        def check_usable(self, output: Any, truth: Truth) -> None:
            predicted_classes(output)

        def judged(self, answers: Answers, truth: Truth) -> Columns:
            scores = once(answers.outputs, lambda output: nearness(output, truth))
            judged = verdicts.by_mean(scores, answers.outputs, answers.baselines, answers.margin)
            return verdicts.named(judged, "nearness")

        def metrics(self, output: Any, truth: Truth) -> dict[str, Any]:
            off = 2 * (1 - nearness(output, truth))
            return {"off": float((off == 1).mean()), "worst": float(off.max())}

    module = ModuleType("toy_task")
    module.TASK = Grades()  # type: ignore[attr-defined]
    return module


@pytest.mark.usefixtures("one_round")
def test_a_task(
    monkeypatch: pytest.MonkeyPatch, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_study(
        'variants = ["fp32", "int8-dynamic"]\n[stress]\nperturbations = ["scaled"]\n'
        "severities = [1]\nprobes = false\n"
    )
    path.write_text(path.read_text().replace("[data]", '[data]\ntask = "grades"'))
    with pytest.raises(StudyError, match=r'data\.task: expected one of .*got "grades"'):
        Study.read(path)
    monkeypatch.setitem(sys.modules, "toy_task", toy_task())
    monkeypatch.setitem(TASKS, "grades", TaskEntry(module="toy_task"))
    rows = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", x=rows["x"], labels=rows["labels"] + 1)
    with pytest.raises(DataError, match=r"data\.labels: there is no grade 3"):
        profiler.run(Study.read(path), tmp_path / "out")
    off = np.arange(48) % 6 == 0  # all but these are right with fp32
    labels = np.where(off, np.where(rows["labels"] == 0, 1, rows["labels"] - 1), rows["labels"])
    np.savez(tmp_path / "rows.npz", x=rows["x"], labels=labels)
    profiler.run(Study.read(path), tmp_path / "out")

    results = profiler.load(tmp_path / "out")
    frame = results.table().set_index("variant")
    fp32, int8 = frame.loc["fp32"], frame.loc["int8-dynamic"]
    wrong = off[results.accuracy.numbers].mean()
    assert fp32["accuracy_is"] == int8["accuracy_is"] == "nearness"
    assert fp32["accuracy"] == pytest.approx(1 - wrong / 2)
    assert fp32["accuracy_low"] < fp32["accuracy"] < fp32["accuracy_high"] <= 1
    assert int8["quality"] in ("non-inferior", "worse", "undecided")
    assert int8["drop_low"] <= int8["drop"] <= int8["drop_high"]
    assert results.accuracy.metrics(fp32["trial"]) == {"off": pytest.approx(wrong), "worst": 1.0}
    sheet = next(sheet for sheet in accuracy_sheets(results) if sheet.title == "Task metrics")
    assert [column.title for column in sheet.columns] == ["trial", "off by a grade %", "worst"]
    assert results.majority_share() is not None
    assert {point.severity for point in results.stress.points} == {0, 1}
    assert len(results.flips("m/int8-dynamic")) == int8["flips"]


BURSTS = """Scenario(
    "bursts", driver="profiler.worker.measuring.bursts:Bursts", keys=("batch", "gap"),
    batch=(2, 4), compares_batches=True, headline="throughput", shares_cpu=True,
)"""
DRIVER = """
import time
from array import array
from dataclasses import replace

from profiler.worker.measuring.drivers import Counted, begin, closed_loop, record


class Bursts:
    one_by_one = False

    def __init__(self, job):
        self.gap_s = job.gap_ns / 1e9

    def plan(self, request, typical_ns):
        blocks = closed_loop(request, typical_ns + int(self.gap_s * 1e9))
        return replace(blocks, queries=6)

    def block(self, runner, position, count):
        out, two = array("q"), array("q", [0, 0])
        before, start = begin(runner), time.perf_counter_ns()
        for _ in range(count // 2):
            time.sleep(self.gap_s)
            runner.backend.timed(runner.next_query, two)
            runner.next_query += 2
            out.extend(two)
        wall_ns = time.perf_counter_ns() - start
        return Counted(record(runner, before, position, count, wall_ns), out)
"""


@pytest.mark.usefixtures("one_round")
def test_a_scenario(
    monkeypatch: pytest.MonkeyPatch, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    """Two queries at a time, then a pause: an entry, which the device needs too, and a driver."""
    path = make_study('scenarios = [{ kind = "bursts", gap = "1ms" }]\n')
    with pytest.raises(StudyError, match=r'one of .*got "bursts"'):
        Study.read(path)
    travelling, driver, table = payload.sources(), tmp_path / "driver.py", tmp_path / "table.py"
    driver.write_text(DRIVER)
    entries = travelling["profiler/wire/scenarios.py"].read_text()
    table.write_text(entries.replace("\n)\nSCENARIOS", f"\n    {BURSTS},\n)\nSCENARIOS"))
    travelling["profiler/wire/scenarios.py"] = table
    travelling["profiler/worker/measuring/bursts.py"] = driver
    monkeypatch.setattr(payload, "sources", lambda: travelling)
    monkeypatch.setattr(payload, "build", payload.build.__wrapped__)
    monkeypatch.setitem(scenarios.SCENARIOS, "bursts", eval(BURSTS, vars(scenarios)))

    assert solo(Job(trial="t", scenario="bursts")), "its one-thread trials share a CPU"
    results = profiler.run(Study.read(path), tmp_path / "out")
    frame = results.table()
    assert list(frame["status"]) == ["ok", "ok"], list(frame["reason"])
    assert list(frame["trial"]) == [
        f"m/fp32@local-cpu/bursts/b{size}/t1/gap-1.00ms" for size in (2, 4)
    ]
    taken = [one for samples in results.samples.values() for one in samples.taken.values()]
    assert {block.queries for one in taken for block in one.repetition.blocks} == {6}
    most = 2 * frame["batch"] / 0.001
    assert (frame["throughput"] < most).all(), "no more than two queries a gap"
    text = render.render(frame, "text")
    assert "Best throughput: local-cpu, bursts" in text
    assert "samples/s" in text.split("Best throughput")[0]


def test_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Metric(name="load", column="load_ns", objective=True, title="load time")
    ranked: dict[str, Any] = {"name": "toy", "models": [{"name": "m", "onnx": "m.onnx"}]}
    with pytest.raises(DecodeError, match=r'objectives\[0\]: expected one of "p50", .*"load"'):
        decode(Study, {**ranked, "objectives": ["load"]})
    monkeypatch.setitem(METRICS, "load", entry)
    study = decode(Study, {**ranked, "objectives": ["load"]})
    quick, slow = (
        row_of({"trial": name, "status": "ok", "threads": 1, "p50_ns": 1e6, "load_ns": load,
                "load_low_ns": load, "load_high_ns": load})
        for name, load in (("quick", 1e6), ("slow", 9e6))
    )  # fmt: skip
    assert mark_frontier([quick, slow], study.objectives)["slow"]["dominated_by"] == "quick"
    chosen = choose([quick, slow], Slo(), "load", separated=lambda best, rivals: rivals)
    assert chosen.trial == "quick"
    axis = axis_for(axes_for(study.objectives, [quick, slow])[0], [quick, slow], 300)
    assert axis.title == "load time (ms), lower is better"


def test_an_output_format(monkeypatch: pytest.MonkeyPatch) -> None:
    def words(frame: pd.DataFrame, width: int) -> str:
        return " ".join(frame["trial"])[:width]

    monkeypatch.setitem(render.FORMATS, "words", words)
    frame = pd.DataFrame({"trial": ["a", "b"]})
    assert render.render(frame, "words") == "a b"
