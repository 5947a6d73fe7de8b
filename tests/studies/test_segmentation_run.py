"""Segmentation from end to end: only masks leave the device, and mIoU is the accuracy."""

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.errors import ProfilerError

pytestmark = pytest.mark.usefixtures("one_round")


@pytest.fixture
def cut(tmp_path, task_study):
    """cut(more) -> study.toml; 128 images of 8 × 8, labels by fp32, the first line ignored."""
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = generator.standard_normal((4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["scores"], pads=[1, 1, 1, 1])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4, 8, 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "net.onnx")
    x = generator.standard_normal((128, 3, 8, 8)).astype(np.float32)
    scores = ort.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x})[0]
    labels = scores.argmax(axis=1).astype(np.uint8)
    labels[:, 0] = 255

    def make(more="", labels=labels):
        np.savez(tmp_path / "rows.npz", x=x, labels=labels)
        return task_study(
            "net", "int8-static", 'inputs = { x = "x" }', 'task = "segmentation"', more
        )

    return make, labels


def test_masks_are_judged_by_miou(cut, tmp_path, capsys):
    make, _ = cut
    results = run(make(), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["fp32"]["accuracy"] == 1.0
    lossy = rows["int8-static"]
    assert 0.8 < lossy["accuracy"] < 1.0
    assert lossy["drop_low"] < lossy["drop"] < lossy["drop_high"]
    assert lossy["flips"] > 0
    for output in results.outputs.values():  # one byte a pixel, no scores
        assert (output.dtype, output.shape) == (np.uint8, (120, 8, 8))
    assert results.accuracy.metrics(lossy["trial"])["miou"] == pytest.approx(lossy["accuracy"])
    look.table(results, "text")
    assert "accuracy: mIoU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "change", "part"),
    [
        ("", lambda y: np.where(y == 3, 4, y), "there is class 4, but net gives scores for 4"),
        ("classes = 3", lambda y: y, "has 3 at"),
        ("", lambda y: y[:, :4], "expected a height of 8, as net has, got 4"),
        ("class_axis = 3", lambda y: y, "expected a height of 4"),
        ("", lambda y: y[:, 0], "of shape (rows, height, width)"),
        ("", lambda y: np.full_like(y, 255), "expected a label other than 255"),
    ],
)
def test_masks_that_do_not_fit_are_named(cut, tmp_path, more, change, part):
    make, labels = cut
    with pytest.raises(ProfilerError) as caught:
        run(make(more, change(labels)), tmp_path / "out")
    assert part in caught.value.message


def test_perturbed_masks_are_refused(cut, tmp_path):
    make, _ = cut
    path = make()
    path.write_text(path.read_text() + '[stress]\nperturbations = ["blur"]\n')
    with pytest.raises(ProfilerError, match="not judged under stress"):
        run(path, tmp_path / "out")
