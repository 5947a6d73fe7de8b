"""Failure probes: each kind of answer is told apart, and a crash is survived and recorded."""

import sys
from pathlib import Path

import numpy as np
import pytest

from profiler.wire import cases
from profiler.wire.messages import Job
from profiler.worker.blobs import BlobFolder
from profiler.worker.measuring import answers, probes

ROWS = {"x": np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)}


class Model:
    """A backend whose behaviour is given."""

    def __init__(self, behave):
        self.behave, self.calls = behave, 0

    def call(self, feed):
        self.calls += 1
        return {"y": self.behave(feed["x"], self.calls)}


def ask(behave, case, rows=ROWS, batch=2):
    return probes.probe(Model(behave), rows, batch, True, case)


def twice(x, _calls):
    return x * 2


def test_what_a_sound_model_makes_of_each():
    with np.errstate(over="ignore"):
        found = {case: ask(twice, case) for case in cases.CASES}
    assert {case: f["outcome"] for case, f in found.items()} == {
        "nan": "NaN out", "inf": "NaN out", "extremes": "NaN out", "empty_batch": "answer",
        "wrong_shape": "answer", "wrong_dtype": "answer", "oversize_batch": "answer",
        "overload": "answer",
    }  # fmt: skip
    assert all(f["wall_ns"] > 0 and f["plain_ns"] > 0 for f in found.values())
    assert found["empty_batch"]["detail"] == "empty"


def test_an_error_is_an_error_and_memory_is_memory():
    def refuse(x, _calls):
        if x.dtype != np.float32:
            raise ValueError("expected float32")
        if len(x) > 2:
            raise RuntimeError("Failed to allocate memory for requested buffer")
        return x

    assert ask(refuse, "wrong_dtype")["outcome"] == "error"
    assert "expected float32" in ask(refuse, "wrong_dtype")["detail"]
    assert ask(refuse, "oversize_batch")["outcome"] == "out of memory"


def test_wrong_answers_are_found():
    def confused(x, _calls):
        return x * 2 if len(x) <= 2 else x[::-1] * 2

    assert ask(confused, "oversize_batch")["outcome"] == "wrong answer"

    def spoilt_by_nan(x, _calls, state={"bad": False}):  # noqa: B006
        state["bad"] |= bool(np.isnan(x).any())
        return x * (3 if state["bad"] else 2)

    found = ask(spoilt_by_nan, "nan")
    assert found["outcome"] == "wrong answer"
    assert "next ordinary query" in found["detail"]

    def racing(x, calls):
        return x * (7 if calls == 20 else 2)

    assert ask(racing, "overload")["outcome"] == "wrong answer"


def test_a_batch_that_changes_an_8_bit_scale_is_no_wrong_answer():
    def dynamic(x, _calls):
        scale = np.abs(x).max() / 127 if x.size else 1.0
        return np.rint(x / scale) * scale

    assert ask(dynamic, "oversize_batch", batch=4)["outcome"] == "answer"


def test_cases_without_a_fitting_input_say_so():
    rows = {"x": np.zeros((3, 4), np.int64)}
    assert ask(twice, "nan", rows)["outcome"] == "not applicable"
    assert probes.spoilt({"x": rows["x"]}, "extremes")["x"].max() == np.iinfo(np.int64).max
    with pytest.raises(ValueError, match="unknown probe"):
        probes.spoilt(rows, "flood")


def test_a_crash_is_an_outcome_and_the_next_question_gets_a_new_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from profiler.transport import payload

    data, _ = payload.build()
    archive = tmp_path / "worker.pyz"
    archive.write_bytes(data)
    monkeypatch.setattr(sys, "argv", [str(archive)])
    asking = answers.Answers(tmp_path, BlobFolder(tmp_path / "out"))
    job = Job(trial="t", backend="null")
    try:
        first = asking.probe(job, "nan", 60 * 10**9)
        assert first.outcome == "error", "no rows to ask with"
        assert set(asking.children) == {"t"}, "an error leaves the runner alive"
        dead = asking.children["t"]
        dead.kill()
        found = asking.probe(job, "nan", 60 * 10**9)
        assert found.outcome == "crash"
        assert "SIGKILL" in found.detail
        assert asking.children == {}
        assert asking.predict(job, {}, 60 * 10**9).status == "ok"
        assert asking.children["t"] is not dead
    finally:
        asking.release()
    assert asking.children == {}
