"""Placement as a real session reports it, and strict_provider."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import onnxruntime as ort
import pytest

from profiler.wire.messages import Job, Placement
from profiler.worker.backends.ort import OrtBackend
from profiler.worker.backends.ort_placement import placement, record, refuse_partial

CPU = "CPUExecutionProvider"


def session(model: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    record(options)
    return ort.InferenceSession(model, options, providers=[CPU])


def test_every_node_is_counted_where_it_runs(make_model: Callable[..., Path]) -> None:
    opened = session(make_model())
    found = placement(opened, CPU)
    assert found is not None
    assert found.nodes >= 2
    assert found == Placement(nodes=found.nodes, on_provider=found.nodes, elsewhere={})
    elsewhere = placement(opened, "XProvider")
    assert elsewhere is not None
    assert elsewhere.on_provider == 0
    assert sum(elsewhere.elsewhere.values()) == found.nodes
    assert "MatMul" in elsewhere.elsewhere


def test_the_backend_tells_it(make_model: Callable[..., Path]) -> None:
    backend = OrtBackend()
    backend.load(Job(trial="t", strict_provider=True), make_model())
    found = backend.placement()
    assert found is not None
    assert found.on_provider == found.nodes


def test_an_older_library_does_not_tell() -> None:
    assert placement(SimpleNamespace(), CPU) is None


def test_strict_names_the_operators_that_fell_back() -> None:
    refuse_partial(Placement(nodes=3, on_provider=3), "X")
    with pytest.raises(RuntimeError, match="does not tell"):
        refuse_partial(None, "X")
    partial = Placement(nodes=10, on_provider=7, elsewhere={"Softmax": 2, "Gather": 1})
    with pytest.raises(RuntimeError, match=r"3 of 10 nodes are not on X: Softmax ×2, Gather ×1"):
        refuse_partial(partial, "X")
