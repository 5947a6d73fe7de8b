"""A model with several outputs: the judged one is asked for, and named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

pytestmark = pytest.mark.usefixtures("one_round")

X = np.random.default_rng(0).standard_normal((48, 16)).astype(np.float32)


@pytest.mark.usefixtures("short_rounds", "undrawn")
def test_the_output_that_labels_judge_is_asked_for_and_named(
    program: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["features"]),
        onnx.helper.make_node("Slice", ["x", "from", "to", "axis"], ["logits"]),
        onnx.helper.make_node("SplitToSequence", ["x"], ["parts"], axis=1),
    ]
    info = onnx.helper.make_tensor_value_info
    numbers = {"from": [0], "to": [3], "axis": [1]}
    graph = onnx.helper.make_graph(
        nodes, "g", [info("x", 1, ["n", 16])],
        [info("features", 1, ["n", 16]), info("logits", 1, ["n", 3]),
         onnx.helper.make_tensor_sequence_value_info("parts", 1, None)],
        [onnx.numpy_helper.from_array(np.array(v), name) for name, v in numbers.items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.save(model, tmp_path / "two.onnx")
    np.savez(tmp_path / "rows.npz", x=X, labels=X[:, :3].argmax(1))

    words = ["run", "two.onnx", "--data", "rows.npz", "--labels", "labels", "--budget", "1s", "-q"]
    refused = program(*words)
    assert refused.returncode == 2, refused.stderr
    for part in ('"logits" [n, 3]', '"features" [n, 16]', "--judge logits"):
        assert part in refused.stderr
    done = program(*words, "--judge", "logits")
    assert done.returncode == 0, done.stderr
    assert 'judged: output "logits"' in done.stdout
    assert "accuracy 100" in done.stdout
