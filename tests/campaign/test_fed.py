"""Rows of the user's data that the model refuses are told before anything is planned."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.campaign import fed
from profiler.campaign.fed import Fed
from profiler.campaign.prepare import prepare
from profiler.errors import DataError
from profiler.progress import Silent
from profiler.schema.study.data import DataSpec
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.study import Study
from profiler.sources.formats.onnx_file import load_onnx
from profiler.store.folder import Store

TOKENS, LONG = 30, 4


@pytest.fixture
def model(tmp_path):
    """Takes ids below TOKENS and numbers of the same length, of any number of rows or of two."""

    def make(batch="n", hidden=False):
        ids = "hidden" if hidden else "ids"
        nodes = [
            helper.make_node("Gather", ["table", ids], ["g"]),
            helper.make_node("Add", ["g", "x"], ["y"]),
        ]
        if hidden:  # by a way on which nobody follows them
            nodes.insert(0, helper.make_node("Mul", ["ids", "one"], ["hidden"]))
        graph = helper.make_graph(
            nodes,
            "g",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, "a"]),
                helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, "b"]),
            ],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, "a"])],
            [
                numpy_helper.from_array(np.ones(TOKENS, np.float32), "table"),
                numpy_helper.from_array(np.int64(1), "one"),
            ],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(made, tmp_path / "m.onnx")
        return load_onnx(
            ModelSpec(name="m", onnx="m.onnx"), folder=tmp_path, out=tmp_path / "artifacts"
        )

    return make


def checked(folder, baseline, size=1, used=None, **bound):
    spec = DataSpec(file="d.npz", inputs={"ids": "tokens", "x": ("a", "b")})
    rows = np.arange(len(bound["x"])) if used is None else np.array(used)
    return Fed(
        baseline=baseline, file=folder / baseline.path, data=spec, columns=("ids", "x"),
        bound=bound, size=size,
    ).check(rows)  # fmt: skip


def rows(count=40, **places):
    """Ids of 1 but at some rows, and numbers."""
    ids = np.ones((count, LONG), np.int64)
    for row, value in places.items():
        ids[int(row[1:]), 2] = value
    return {"ids": ids, "x": np.ones((count, LONG), np.float32)}


def test_rows_that_are_answered(model, tmp_path):
    checked(tmp_path, model(), **rows(r3=TOKENS - 1, r4=-TOKENS))
    checked(tmp_path, model(batch=2), size=2, **rows(5))


@pytest.mark.parametrize("value", [TOKENS, -TOKENS - 1])
def test_a_number_that_no_shape_forbids_is_named_with_its_row(model, tmp_path, value):
    with pytest.raises(DataError) as caught:
        checked(tmp_path, model(), **rows(r33=value))
    assert caught.value.message == (
        "d.npz: the model m does not answer row 33: data.inputs.ids (column 'tokens') holds"
        f" {value}, its input takes 0 to 29"
    )
    assert '[data] inputs = { "ids" = "<column>" }' in caught.value.hint


def test_rows_that_are_not_used_may_hold_anything(model, tmp_path):
    checked(tmp_path, model(), used=[5, 7, 9], **rows(r6=TOKENS))


def test_what_onnx_runtime_says_is_told_where_nothing_better_is_known(model, tmp_path):
    with pytest.raises(DataError) as caught:
        checked(tmp_path, model(hidden=True), size=2, **rows(r33=TOKENS))
    for part in (
        "d.npz: the model m does not answer rows 33 to 34 (data.inputs.ids (column 'tokens'), ",
        "data.inputs.x (column 'a', 'b'), float32 [4]): node (Gather): indices element out of",
    ):
        assert part in caught.value.message
    with pytest.raises(DataError, match=r"row 0 .*int64 \[4\].*float32 \[3\]\): node"):
        checked(tmp_path, model(), **{**rows(), "x": np.ones((40, 3), np.float32)})


def test_large_rows_are_asked_one_by_one(model, tmp_path, monkeypatch):
    monkeypatch.setattr(fed, "BYTES", 1)
    with pytest.raises(DataError, match="row 33"):
        checked(tmp_path, model(), **rows(r33=TOKENS))


def test_a_study_is_refused_before_it_is_planned(make_study, model, tmp_path):
    path = make_study()
    model()
    held = rows(r2=99)
    held["x"] = np.random.default_rng(0).random(held["x"].shape, np.float32)  # no row twice
    np.savez(tmp_path / "rows.npz", **held, labels=np.ones((40, LONG), np.float32))
    path.write_text(
        path.read_text()
        .replace('"model.onnx"', '"m.onnx"')
        .replace("[data]", '[data]\ntask = "regression"')
    )
    store = Store.open(tmp_path / "out", {"study_hash": "x"})
    try:
        with pytest.raises(DataError, match=r"rows.npz: .*row 2: data.inputs.ids .* holds 99"):
            prepare(Study.read(path), store, tmp_path / "cache", Silent())
    finally:
        store.close()
