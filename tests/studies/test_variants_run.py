"""A study with many recipes from end to end: rows for all, reasons for what can't be made."""

import json

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.campaign import prepare
from profiler.campaign.run import run
from profiler.commands import look
from profiler.report.tables.render import FORMATS, render

pytestmark = pytest.mark.usefixtures("one_round")


def test_auto_is_resolved_on_the_target_and_a_variant_that_fails_is_a_row(make_study, tmp_path):
    path = make_study('variants = ["fp32", "auto", "bf16", "fp16"]')
    results = run(path, tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert "auto" not in rows
    assert any(name.startswith("int8-static-") for name in rows)
    assert rows["bf16"]["status"] == "excluded"
    assert "bf16 model" in rows["bf16"]["reason"]
    assert results.study.variants[1].name == "auto"
    made = results.prepared.artifacts
    why = [a.made_by["why"] for (_, name), a in made.items() if name.startswith("int8")]
    assert why
    assert all(text.startswith("auto: ") for text in why)
    before = len(results.rounds)
    assert len(run(path, tmp_path / "out").rounds) == before


def test_a_changed_ready_file_is_a_changed_study(make_study, make_model, tmp_path):
    from profiler.campaign.input_hashes import input_hashes
    from profiler.schema.study.study import Study

    path = make_study('variants = ["fp32", {name = "mine", file = "mine.onnx"}]')
    make_model("mine.onnx", seed=1)
    before = input_hashes(Study.read(path))
    make_model("mine.onnx", seed=2)
    after = input_hashes(Study.read(path))
    assert {k for k in after if before[k] != after[k]} == {"mine.onnx"}
    rows = {row["variant"]: row for row in run(path, tmp_path / "out").rows}
    assert rows["mine"]["status"] == "ok"
    assert rows["mine"]["agreement"] < 1


def halve(path):
    """Hold a model's weights, and compute, in half precision."""
    model = onnx.load(path)
    for weights in model.graph.initializer:
        half = numpy_helper.to_array(weights).astype("float16")
        weights.CopyFrom(numpy_helper.from_array(half, weights.name))
    nodes = model.graph.node
    nodes[0].input[0], nodes[-1].output[0] = "half", "last"
    nodes.insert(0, helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16))
    nodes.append(helper.make_node("Cast", ["last"], ["scores"], to=TensorProto.FLOAT))
    onnx.save(model, path)


@pytest.mark.parametrize("older", [False, True])
def test_half_a_model_is_called_so_everywhere(
    make_study, tmp_path, monkeypatch, capsys, older
) -> None:
    path = make_study('variants = ["fp32", "int8-dynamic"]', data=False)
    halve(tmp_path / "model.onnx")
    with monkeypatch.context() as before:
        if older:  # names as earlier versions gave them
            before.setattr(prepare, "called_after", lambda study, types: study)
        first = run(path, tmp_path / "out")
    results = run(path, tmp_path / "out")
    assert len(results.rounds) == len(first.rounds)
    name = "fp32" if older else "float16"
    base, other = results.rows  # a row even though 8 bits take no half precision
    assert (base["variant"], other["variant"]) == (name, "int8-dynamic")
    assert base["trial"].startswith(f"m/{name}@")
    assert results.plan.exclusions[0].trial.baseline == base["trial"]
    assert base["file_bytes"]
    for form in FORMATS:
        assert name in render(results.table(), form)
    assert ("/fp32@" in render(results.table(), "csv")) == older
    if not older:
        look.plan(path, json=True)
        planned = json.loads(capsys.readouterr().out)["trials"]
        assert planned[0]["id"] == base["trial"]
