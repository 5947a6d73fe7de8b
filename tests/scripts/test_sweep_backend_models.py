"""A few of the onnx package's test models as a user's: planned or refused, none in a traceback."""

import importlib.machinery
import importlib.util

import pytest

OPERATORS = (
    "dequantizelinear", "gather", "identity", "loop", "lstm", "optionalhaselement", "reshape",
    "sequenceinsert", "string_concat",
)  # fmt: skip
"""modules of the package that make test models; all of them take 15 s"""


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("sweep_backend_models")


def test_some_models_of_every_kind(script, tmp_path, monkeypatch):
    from onnx.backend.test.case import node

    cases = []
    for name in OPERATORS:
        before = len(node._NodeTestCases)
        importlib.import_module(f"{node.__name__}.{name}")
        cases += node._NodeTestCases[before:][:3]
    monkeypatch.setattr(node, "collect_testcases", lambda _: cases)
    planned, _ = script.sweep(None, 0, 0, tmp_path, only=[c.name for c in cases])
    assert len(planned) == len(cases) > 15
    faults = [said for kind, said in planned.values() if kind == script.FAULT]
    assert faults == []
    assert {kind for kind, _ in planned.values()} == {script.PLANNED, script.REFUSED}
    assert "refused in words" in script.table(planned, "plans")


def test_a_traceback_is_a_fault_and_so_is_a_refusal_of_many_lines(script):
    from profiler.errors import ModelError

    def fails(error):
        raise error

    assert script.ended(lambda: fails(KeyError("x")))[0] == script.FAULT
    assert script.ended(lambda: fails(ModelError("a\nb")))[0] == script.FAULT
    assert script.ended(lambda: fails(ModelError("a"))) == (script.REFUSED, "a (no hint)")
