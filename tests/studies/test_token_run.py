"""Token classification from end to end: a tagger in ONNX, its 4-bit variant, the table."""

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.errors import ProfilerError
from profiler.results.results import load

pytestmark = pytest.mark.usefixtures("one_round")

TAGS = '["O", "B-PER", "I-PER"]'


@pytest.fixture
def ner(tmp_path, task_study):
    """ner(more) -> study.toml; 128 rows of 6 tokens, the last one ignored, labels by fp32."""
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = generator.standard_normal((16, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["scores"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "tokens", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "tagger.onnx")
    x = generator.standard_normal((128, 6, 16)).astype(np.float32)
    labels = ort.InferenceSession(tmp_path / "tagger.onnx").run(None, {"x": x})[0].argmax(axis=2)
    labels[:, -1] = -100

    def make(more="", labels=labels):
        np.savez(tmp_path / "rows.npz", x=x, labels=labels)
        return task_study(
            "tagger", "int4:rtn-16", 'inputs = { x = "x" }', 'task = "token-classification"', more
        )

    return make, labels


def test_a_tagger_is_judged_by_its_entities(ner, tmp_path, capsys):
    make, _ = ner
    results = run(make(f"tags = {TAGS}"), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["fp32"]["accuracy"] == 1.0
    lossy = rows["int4-rtn-16"]
    assert lossy["flips"] > 0
    assert 0.3 < lossy["accuracy"] < 1.0
    assert lossy["drop"] == pytest.approx(1 - lossy["accuracy"])
    assert lossy["drop_low"] < lossy["drop"] < lossy["drop_high"]
    assert lossy["quality"] == "worse"
    found = results.accuracy.metrics(lossy["trial"])
    assert found["entity_f1"] == pytest.approx(lossy["accuracy"])
    assert found["token_accuracy"] == pytest.approx(1 - lossy["flips"] / (120 * 5))
    look.table(results, "text")
    assert "accuracy: entity F1" in capsys.readouterr().out
    assert load(tmp_path / "out").rows[0]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("more", "change", "part"),
    [
        (
            f"tags = {TAGS}",
            [((3, 1), 7)],
            "row 3 has 7 for token 1, expected whole numbers",
        ),
        ("", [((3, 1), 7)], "row 3 has 7 for token 1, but tagger gives scores for 3 tags (0 to 2)"),
        ('tags = ["O", "B-PER"]\nignore = 2', [(np.s_[:, -1], 2)], "expected 3 names"),
        (f"tags = {TAGS}", [(np.s_[:, :-1], 0)], "expected an entity in some row"),
        ("", [(np.s_[:], -100)], "expected a label other than -100"),
        ("ignore = -1", [], "row 0 has -100 for token 5"),
    ],
)
def test_labels_that_do_not_fit_are_named(ner, tmp_path, more, change, part):
    make, labels = ner
    labels = labels.copy()
    for place, value in change:
        labels[place] = value
    with pytest.raises(ProfilerError) as caught:
        run(make(more, labels), tmp_path / "out")
    assert part in caught.value.message
    with pytest.raises(ProfilerError, match=r"shape \(rows, tokens\), got \[128\]"):
        run(make("", labels[:, 0]), tmp_path / "other")
