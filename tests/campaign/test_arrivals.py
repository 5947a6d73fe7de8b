"""Files that come from a device are what its reply promised, or the target fails in one line."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.campaign import arrivals
from profiler.devices.session import Session
from profiler.errors import ProfilerError, WorkerError
from profiler.schema.study.data import DataSpec
from profiler.wire.messages import Job, RoundRequest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import fake_device

ROWS = 4


def _npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


SCORES = np.arange(12, dtype=np.float32).reshape(ROWS, 3)
LATENCIES = np.array([1000, 2000], "<i8").tobytes()


def _arrived(
    folder: Path, latencies: bytes = LATENCIES, scores: bytes | None = None, name: str = "scores"
) -> Any:
    """What is kept of a round whose files hold this."""
    scores = _npy(SCORES) if scores is None else scores
    for inner in ("raw", "outputs"):
        (folder / inner).mkdir(exist_ok=True)
    answer = fake_device.honest(latencies, {name: scores})
    job = Job(trial="a", backend="null")
    request = RoundRequest(jobs=(job,), round=0, seed=1, predict=("a",))

    def say(message: dict[str, Any]) -> list[bytes]:
        result = answer(message["op"], message["args"])
        return [fake_device.line({"id": message["id"], "ok": True, "result": result})]

    spec = DataSpec(file="rows.npz", output="scores")
    awaited = arrivals.Awaited(spec=spec, rows=ROWS, labels=np.arange(ROWS) % 3)
    blobs = {fake_device.sha_of(data): data for data in (latencies, scores)}
    with Session(fake_device.FakeTransport(say, blobs), backoff_s=()) as session:
        found = session.round(request, lambda event: None)
        return arrivals.of_round(session, folder, found, awaited)


def test_what_was_promised_is_kept(tmp_path: Path) -> None:
    assert _arrived(tmp_path)["a"].latencies.tolist() == [1000, 2000]
    assert [np.load(path).shape for path in (tmp_path / "outputs").iterdir()] == [(ROWS, 3)]


@pytest.mark.parametrize(
    "scores",
    [SCORES[:-1], SCORES[0, 0], SCORES.astype("S4"), SCORES.astype(complex),
     np.array([{"a": 1}] * ROWS, dtype=object), SCORES.astype("M8[s]")],
    ids=["rows", "one", "text", "complex", "pickle", "dates"],
)  # fmt: skip
def test_predictions_of_another_kind_are_refused_on_arrival(tmp_path: Path, scores: Any) -> None:
    with pytest.raises(WorkerError, match="a: scores: expected predictions of 4 rows as numbers"):
        _arrived(tmp_path, scores=_npy(scores))
    assert not [*(tmp_path / "outputs").iterdir(), *(tmp_path / "raw").iterdir()]


@pytest.mark.parametrize("scores", [SCORES[:, 0], SCORES[..., None], SCORES[:, :0]])
def test_so_are_those_of_a_shape_that_the_task_can_not_judge(tmp_path: Path, scores: Any) -> None:
    with pytest.raises(WorkerError, match="a: its predictions can't be judged: "):
        _arrived(tmp_path, scores=_npy(scores))


def test_a_file_that_is_there_already_is_no_prediction_for_that(tmp_path: Path) -> None:
    labels = _npy(np.arange(ROWS * 2))
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / f"{fake_device.sha_of(labels)}.npy").write_bytes(labels)
    with pytest.raises(WorkerError, match="expected predictions of 4 rows"):
        _arrived(tmp_path, scores=labels)


@pytest.mark.parametrize("cut", [0, 5, 60, 129, -1])
def test_so_are_those_that_are_cut_short(tmp_path: Path, cut: int) -> None:
    with pytest.raises(WorkerError, match="got something else"):
        _arrived(tmp_path, scores=_npy(SCORES)[:cut])


def test_a_header_that_promises_more_than_there_is_memory(tmp_path: Path) -> None:
    huge = _npy(SCORES).replace(b"(4, 3)", b"(4, 9" + b"9" * 30 + b")")
    with pytest.raises(WorkerError, match="got something else"):
        _arrived(tmp_path, scores=huge)


def test_the_output_that_is_judged_has_to_come(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match='no predictions of "scores" came back'):
        _arrived(tmp_path, name="other")


@pytest.mark.parametrize(
    "latencies",
    [b"", LATENCIES[:-1], LATENCIES + b"1", LATENCIES * 2, np.array([5, 0], "<i8").tobytes(),
     np.array([5, 10**15 + 1], "<i8").tobytes()],
)  # fmt: skip
def test_latencies_that_are_not_as_many_as_the_blocks_say(tmp_path: Path, latencies: bytes) -> None:
    with pytest.raises(ProfilerError):
        _arrived(tmp_path, latencies=latencies)
