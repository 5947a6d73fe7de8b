"""The study that a model file and a few options stand for."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from profiler.campaign.prepare import batch_of
from profiler.cli import app
from profiler.commands.model_study import study_of
from profiler.errors import InputError
from profiler.sources.formats.onnx_file import load_onnx


@pytest.fixture
def two_ways(tmp_path: Path) -> Path:
    """x[p, q, 4] @ weights: either axis may count the samples."""
    weights = numpy_helper.from_array(np.ones((4, 3), "float32"), "w")
    shapes = {"x": ["p", "q", 4], "y": ["p", "q", 3]}
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y])
    graph.initializer.append(weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("text", "samples"), [("x=0", "p"), ("x=1", "q"), ("x=-2", "q")])
def test_the_axis_of_samples_is_given(two_ways: Path, text: str, samples: str) -> None:
    study = study_of([two_ways, two_ways], batch_axes=[text])
    for spec in study.models:
        baseline = load_onnx(spec, folder=two_ways.parent, out=two_ways.parent / "out")
        assert batch_of(study, spec, baseline).names == (samples,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "--batch-axis: expected INPUT=AXIS with the number of an axis, got 'x'"),
        ("=1", "--batch-axis: expected INPUT=AXIS"),
        ("x=first", "--batch-axis: expected INPUT=AXIS"),
        ("x=²", "--batch-axis: expected INPUT=AXIS"),
        ("x=64", "--batch-axis: expected an axis"),
    ],
)
def test_an_axis_that_is_none(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        study_of([Path("m.onnx")], batch_axes=[text])


def test_an_input_or_axis_that_the_model_has_not(two_ways: Path) -> None:
    def asked(text: str) -> None:
        study = study_of([two_ways], batch_axes=[text])
        (spec,) = study.models
        made = load_onnx(spec, folder=two_ways.parent, out=two_ways.parent / "out")
        batch_of(study, spec, made)

    with pytest.raises(InputError, match=r"\(--batch-axis\): the model has no input 'z=1'"):
        asked("z=1=1")
    with pytest.raises(InputError, match=r"\(--batch-axis\): expected an axis from 0 to 2, got 3"):
        asked("x=3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "study.toml"], "--batch-axis goes with a model file"),
        (["compare", "folder", "trial"], "--batch-axis goes with model files"),
        (["compare", "a.onnx", "b.onnx"], "--batch-axis: expected INPUT=AXIS"),
        (["run", "a.onnx"], "--batch-axis: expected INPUT=AXIS"),
    ],
)
def test_the_option_reaches_both_commands(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, [*arguments, "--batch-axis", "x"])
    assert isinstance(done.exception, InputError)
    assert words in done.exception.message
