"""Queries that are made up: what the model refuses is drawn anew, or refused with what to type."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.campaign import made_up
from profiler.campaign.made_up import Maker
from profiler.errors import ModelError
from profiler.progress import Silent
from profiler.schema.axes import find_batch
from profiler.schema.study.model import ModelSpec
from profiler.sources import openable
from profiler.sources.formats.onnx_file import load_onnx


class Noted(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def maker(tmp_path, nodes, inputs, output, weights=(), given=()):
    """The Maker of a model, and what it notes; inputs: name -> (type, shape)."""
    types = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
    values = [helper.make_tensor_value_info(n, types[t], s) for n, (t, s) in inputs.items()]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, output)
    held = [numpy_helper.from_array(np.asarray(v), n) for n, v in dict(weights).items()]
    graph = helper.make_graph(nodes, "g", values, [result], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    spec = ModelSpec(name="m", onnx="m.onnx")
    baseline = load_onnx(spec, folder=tmp_path, out=tmp_path / "artifacts")
    counts, noted = find_batch(baseline.inputs, baseline.outputs, given=given), Noted()
    made = Maker(
        model="m", baseline=baseline, counts=counts, seed=0, file=tmp_path / baseline.path,
        progress=noted,
    )  # fmt: skip
    return made, noted.notes


def table(rows, shift=0):
    """Ids into a table of some rows, by a way on which nobody follows them."""
    return {
        "nodes": [
            helper.make_node("Mul", ["ids", "one"], ["a"]),
            helper.make_node("Add", ["a", "shift"], ["i"]),
            helper.make_node("Gather", ["table", "i"], ["y"]),
        ],
        "inputs": {"ids": ("int64", ["N", "seq"])},
        "output": ["N", "seq", 4],
        "weights": {
            "table": np.ones((rows, 4), "float32"), "one": np.int64(1), "shift": np.int64(shift),
        },
    }  # fmt: skip


def test_whole_numbers_are_plainer_where_the_model_refuses_others(tmp_path):
    make, notes = maker(tmp_path, **table(rows=2))
    made = make.queries({"seq": 5}, 3)
    assert made["ids"].shape == (64, 3, 5)
    assert (made["ids"] == 1).all()
    assert notes == ["m: whole numbers are 1, as ONNX Runtime refuses others"]
    make, notes = maker(tmp_path, **table(rows=1))
    assert (make.queries({"seq": 5}, 1)["ids"] == 0).all()
    make, notes = maker(tmp_path, **table(rows=10))
    assert len(np.unique(make.queries({"seq": 5}, 1)["ids"])) > 5
    assert notes == []


def test_what_the_model_never_takes_is_refused_once(tmp_path):
    make, _ = maker(tmp_path, **table(rows=3, shift=1000))
    with pytest.raises(ModelError) as caught:
        make.queries({}, 1)
    assert caught.value.message.startswith(
        'models.m: ONNX Runtime refuses the inputs made up for it ("ids" 1 × 1): node (Gather): '
        "indices element out of data bounds"
    )
    assert caught.value.message.endswith("seq left at 1")
    assert caught.value.hint == (
        "give sizes (--shape seq=SIZE), or give rows of your own ([data], --data FILE.npz) with"
        ' arrays for "ids"'
    )
    assert "/onnxruntime" not in caught.value.message


def joined(tmp_path, axis):
    """x[N, a, 4] beside m[N, b, 4]: joined along the last axis, a and b have to be equal."""
    x = {"x": ("float", ["N", "a", 4]), "m": ("float", ["N", "b", 4])}
    node = helper.make_node("Concat", ["x", "m"], ["y"], axis=axis)
    return maker(tmp_path, [node], x, ["N", "p", "q"], given=["a"])


def test_a_size_that_another_input_contradicts_is_told(tmp_path):
    make, notes = joined(tmp_path, axis=2)
    made = make.queries({"a": 7}, 2)
    assert made["m"].shape[1:] == made["x"].shape[1:] == (2, 7, 4)
    assert notes == [
        'm: b is 7, as ONNX Runtime refuses 1; axis 1 of "m" beside 7 in "x"'
        " (--shape b=SIZE, models.shapes)"
    ]
    make, notes = joined(tmp_path, axis=1)
    assert make.queries({"a": 7}, 2)["m"].shape[1:] == (2, 1, 4)
    assert notes == [
        'm: b left at 1; axis 1 of "m" beside 7 in "x" (--shape b=SIZE, models.shapes)'
    ]


def test_sums_of_sizes_are_tried(tmp_path):
    """k has to be as long as a and b together, and no name says so."""
    inputs = {n: ("float", ["N", d]) for n, d in {"x": "a", "m": "b", "k": "c"}.items()}
    nodes = [
        helper.make_node("Concat", ["x", "m"], ["j"], axis=1),
        helper.make_node("Concat", ["j", "k"], ["y"], axis=0),
    ]
    make, notes = maker(tmp_path, nodes, inputs, ["p", "q"], given=["a", "b"])
    assert make.queries({"a": 3, "b": 2}, 1)["k"].shape[1:] == (1, 5)
    assert notes[0].startswith("m: c is 5, as ONNX Runtime refuses 1")


def test_what_ends_the_helper_is_told_and_what_it_lacks_is_no_refusal(tmp_path, monkeypatch):
    make, _ = maker(tmp_path, **table(rows=10))
    asked = {"x": np.zeros((2, 1), "float32")}

    def ask(error=None, said=None):
        def answer(*_, **__):
            if error:
                raise error
            return said

        monkeypatch.setattr(openable._opener, "ask", answer)
        return openable.refused(make.file, asked)

    crashed = ask(openable.Crashed("ends by SIGSEGV"))
    assert crashed == "ONNX Runtime ends by SIGSEGV when it answers them"
    assert ask(openable.Slow("does not answer within 60 s")) is None
    assert ask(said="NotImplemented: no kernel") is None
    assert ask() is None
    assert ask(said="InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got x") == "Got x"


def test_the_tries_end(tmp_path, monkeypatch):
    make, _ = joined(tmp_path, axis=2)
    tries = []
    monkeypatch.setattr(openable, "refused", lambda *_: tries.append(1) or "no")
    with pytest.raises(ModelError, match="b left at 1"):
        make.queries({"a": 7}, 2)
    assert 3 < len(tries) <= made_up.TRIES


def test_one_value_for_all_samples_is_for_the_model(tmp_path):
    """Parts that have to sum up to the rows are no rows of data."""
    node = helper.make_node("Split", ["x", "parts"], ["y", "z"], axis=1)
    inputs = {"x": ("float", ["N", 6]), "parts": ("int64", [2])}
    make, _ = maker(tmp_path, [node], inputs, ["N", "p"])
    with pytest.raises(ModelError) as caught:
        make.queries({}, 1)
    assert caught.value.hint == (
        'make "parts" a constant of the model (an initializer), or give rows of your own ([data],'
        ' --data FILE.npz) with arrays for "x"'
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "/a/b.h:60 void f(const T&) [with T = int; U = a<b>] cannot do",
            'node "n" (Op): cannot do',
        ),
        ("base.h:548 Validation Scale > 0", 'node "n" (Op): Scale > 0'),
        ("running In node. Name:'' Status Message: off", "node (In): off"),
        ("const [with T = double] fmod was false", 'node "n" (Op): fmod was false'),
    ],
)
def test_words_without_places_in_the_source(said, words):
    code = "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while "
    text = f"Fail: {code}running Op node. Name:'n' Status Message: {said}"
    assert openable.plain(text) == words


def test_a_refusal_is_short_however_long_the_names_are(tmp_path):
    known = table(rows=3, shift=1000)
    long = "i" * 20_000
    known["nodes"][0].input[0] = long
    known["inputs"] = {long: ("int64", ["N", "s" * 20_000])}
    make, _ = maker(tmp_path, **known)
    with pytest.raises(ModelError) as caught:
        make.queries({}, 1)
    assert len(caught.value.message) + len(caught.value.hint) < 2000
