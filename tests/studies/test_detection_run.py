"""Detection from end to end: three outputs, boxes with class -1 where there is none."""

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.errors import ProfilerError

pytestmark = pytest.mark.usefixtures("one_round")

THREE = 'detections = ["boxes", "scores", "classes"]'


@pytest.fixture
def boxes(tmp_path, task_study):
    """boxes(more) -> study.toml; 48 rows of 3 boxes that the model passes on as it gets them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shapes = {"at": 4, "score": 1, "class": 1}
    nodes = [
        helper.make_node("MatMul", ["at", "w"], ["boxes"]),
        helper.make_node("Squeeze", ["score", "last"], ["scores"]),
        helper.make_node("Squeeze", ["class", "last"], ["classes"]),
    ]

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, *shape])

    graph = helper.make_graph(
        nodes, "g",
        [value(name, size) for name, size in shapes.items()],
        [value("boxes", 4), value("scores"), value("classes")],
        [numpy_helper.from_array(np.eye(4, dtype=np.float32), "w"),
         numpy_helper.from_array(np.array([2]), "last")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "net.onnx")
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 90, (48, 3, 2))
    at = np.concatenate([corner, corner + rng.uniform(2, 9, (48, 3, 2))], axis=2)
    at = at.astype(np.float32)
    names = rng.integers(0, 2, (48, 3, 1)).astype(np.float32)
    labels = np.concatenate([at, names], axis=2)
    labels[0, 1:] = -1

    def make(more=THREE, labels=labels):
        np.savez(
            tmp_path / "rows.npz", at=at, score=rng.random((48, 3, 1)).astype(np.float32),
            labels=labels, **{"class": names},
        )  # fmt: skip
        return task_study("net", "int8-dynamic", 'task = "detection"', more)

    return make, labels


def test_boxes_are_judged_by_map(boxes, tmp_path, capsys):
    make, _ = boxes
    results = run(make(), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["fp32"]["accuracy"] > 0.95, "two boxes of the first row are none"
    lossy = rows["int8-dynamic"]
    assert 0.2 < lossy["accuracy"] < rows["fp32"]["accuracy"]
    assert lossy["drop_low"] < lossy["drop"] < lossy["drop_high"]
    found = results.accuracy.metrics(lossy["trial"])
    assert found["map"] == pytest.approx(lossy["accuracy"])
    assert found["map50"] >= found["map75"] > found["map"]
    look.table(results, "text")
    assert "accuracy: mAP" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "change", "part"),
    [
        ("", lambda y: y, "detection needs an output of shape (rows, boxes, 6)"),
        (THREE.replace("scores", "score"), lambda y: y, "net has no output 'score'"),
        ('detections = ["boxes"]', lambda y: y, "three outputs"),
        (THREE, lambda y: y[..., :4], "boxes of shape (rows, boxes, 5)"),
        (THREE, lambda y: y[..., [2, 3, 0, 1, 4]], "row 0, box 0: expected x1 < x2"),
        (THREE + "\nclasses = 1", lambda y: y, "expected a class from 0 to 0"),
        (THREE, lambda y: np.full_like(y, -1), "expected a box in some row, got none"),
    ],
)
def test_boxes_that_do_not_fit_are_named(boxes, tmp_path, more, change, part):
    make, labels = boxes
    with pytest.raises(ProfilerError) as caught:
        run(make(more, change(labels)), tmp_path / "out")
    assert part in caught.value.message
