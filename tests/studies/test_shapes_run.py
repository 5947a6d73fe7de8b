"""A model with an open dimension, measured in several sizes of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.results.results import load
from profiler.schema.study.study import Study


@pytest.fixture
def sentences(tmp_path):
    """A model of x (batch, tokens, 16)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h0"])]
    nodes += [helper.make_node("MatMul", [f"h{i}", "w"], [f"h{i + 1}"]) for i in range(3)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", 16])],
        [helper.make_tensor_value_info("h3", TensorProto.FLOAT, ["batch", "tokens", 16])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "sentences.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.mark.usefixtures("short_rounds", "undrawn")
def test_every_size_is_a_trial_of_its_own(sentences, program, tmp_path):
    out = Path("out")  # the width of what is printed must not depend on where it lies
    words = ("run", sentences, "--shape", "tokens=2,512", "--threads", "1", "--budget", "3s")
    done = program(*words, "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert max(map(len, shown.splitlines())) <= 80
    tables = program("table", out).stdout
    assert "single_stream, tokens=2, 1 thread" in tables
    assert "single_stream, tokens=512, 1 thread" in tables
    out = tmp_path / out
    results = load(out)
    short, long = results.rows
    assert (short["shapes"], long["shapes"]) == ("tokens=2", "tokens=512")
    assert short["trial"].endswith("/tokens-2")
    assert long["p50_ns"] > 3 * short["p50_ns"]
    assert (short["frontier"], long["frontier"]) == (True, True), "they are no rivals"
    assert results.choose().trial == short["trial"]
    shapes = {
        trial: np.load(results.prepared.file(out, sha)).shape[1:]
        for trial, found in results.trials.items()
        for sha in results.prepared.inputs_of(found.model, found.batch, found.shapes)[0].values()
    }
    assert shapes == {short["trial"]: (1, 2, 16), long["trial"]: (1, 512, 16)}
    pair = ("sentences/fp32/tokens-2", "sentences/fp32/tokens-512")
    assert json.loads(program("compare", out, *pair, "--json").stdout)[0]["verdict"] == "faster"


@pytest.mark.usefixtures("short_rounds", "undrawn")
def test_files_are_compared_in_every_size(sentences, program):
    words = ("compare", sentences, sentences, "--shape", "tokens=2,8", "--threads", "1")
    done = program(*words, "--budget", "3s", "-o", "o", "-q", "--json")
    assert done.returncode == 0, done.stderr
    pairs = json.loads(done.stdout)
    assert [pair["first"].split("/")[-1] for pair in pairs] == ["tokens-2", "tokens-8"]
    assert [pair["second"].split("/")[-1] for pair in pairs] == ["tokens-2", "tokens-8"]


def test_a_misspelt_dimension_is_no_size_of_one(sentences, program, tmp_path):
    def refused(*words):
        done = program(*words)
        assert done.returncode == 2
        return done.stderr

    out = tmp_path / "out"
    told = refused("run", sentences, "--shape", "token=8", "-o", out, "-q")
    assert 'did you mean "tokens"?' in told
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "s"\n[[models]]\nname = "m"\nonnx = "sentences.onnx"\n'
        "[sweep]\nshapes = [{ token = 8 }]\n"
    )
    assert "sweep.shapes[0]" in refused("plan", study)
    assert "--batch" in refused("run", sentences, "--shape", "batch=8", "-o", out, "-q")


@pytest.mark.usefixtures("one_round")
def test_a_study_of_two_models_sweeps_the_one_that_can(sentences, make_model, tmp_path):
    make_model("rows.onnx")
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "s"\nthreads = [1]\n[[models]]\nname = "m"\nonnx = "sentences.onnx"\n'
        '[[models]]\nname = "r"\nonnx = "rows.onnx"\n'
        "[sweep]\nshapes = [{ tokens = 2 }, { tokens = 8 }]\n"
        '[measure]\nbudget = "2s"\nround_time = "20ms"\nblock_time = "2ms"\nmax_rounds = 4\n'
    )
    rows = run(Study.read(study), tmp_path / "out").rows
    assert [(row["model"], row["shapes"], row["status"]) for row in rows] == [
        ("m", "tokens=2", "ok"), ("m", "tokens=8", "ok"), ("r", "", "ok"),
    ]  # fmt: skip
