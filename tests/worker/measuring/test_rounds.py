"""Rounds through the real worker: processes, protocol, faults."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from profiler.devices.session import Session
from profiler.errors import TransportError, WorkerError
from profiler.transport.local import LocalTransport
from profiler.wire.lines import EndOfStream, LineReader, pack
from profiler.wire.messages import Job, Repetition, RoundRequest

QUICK = {
    "block_ns": 1_000_000, "measure_ns": 10_000_000, "warmup_ns": 1_000_000,
    "max_warmup_ns": 20_000_000, "seed": 1, "round": 0,
}  # fmt: skip


def measure(session: Session, *jobs: Job, **more: int) -> dict[str, Repetition]:
    request = RoundRequest(jobs=jobs, **{**QUICK, **more})
    return {r.trial: r for r in session.round(request, lambda event: None)}


def null(name: str, **options: float) -> Job:
    return Job(trial=name, backend="null", provider="null", backend_options=options)


def latencies(session: Session, repetition: Repetition, to: Path) -> np.ndarray:
    assert repetition.latencies is not None
    session.fetch(repetition.latencies, to)
    return np.fromfile(to, "<i8")


def test_latencies_belong_to_their_blocks_in_a_seeded_order(
    session: Session, tmp_path: Path
) -> None:
    found = measure(session, null("a", spin_ns=100_000), null("b", spin_ns=300_000))
    for name, least in (("a", 100_000), ("b", 300_000)):
        values = latencies(session, found[name], tmp_path / name)
        assert len(values) == sum(block.queries for block in found[name].blocks)
        assert values.min() >= least
        for block in found[name].blocks:
            assert block.wall_ns >= block.queries * least
    positions = sorted(b.position for r in found.values() for b in r.blocks)
    assert positions == list(range(len(positions)))
    interleaved = [b.position for b in found["a"].blocks]
    assert interleaved != list(range(len(interleaved))), "not interleaved"


@pytest.mark.parametrize(
    ("options", "limit", "reason", "detail"),
    [
        ({"crash_at": 3}, None, "crashed", "SIGSEGV"),
        ({"hang_at": 3}, None, "timeout", "no answer within"),
        ({"allocate_at": 3}, 600_000_000, "out of memory", "emory"),
    ],
)
def test_a_failing_runner_is_a_row_and_the_others_go_on(
    session: Session, options: dict[str, float], limit: int | None, reason: str, detail: str
) -> None:
    bad = Job(trial="bad", backend="null", backend_options=options, memory_limit_bytes=limit)
    found = measure(session, null("good"), bad, query_timeout_ns=60_000_000_000 if limit else 10**9)
    assert found["good"].status == "ok"
    assert (found["bad"].status, found["bad"].reason) == ("failed", reason)
    assert detail in (found["bad"].detail or "")


def test_a_kill_by_the_kernel_or_a_person_is_told(session: Session) -> None:
    """SIGKILL from outside, as an out-of-memory killer or an impatient user sends it."""
    import psutil

    killed = []

    def kill(event: dict[str, object]) -> None:
        if event["stage"] == "measure" and not killed:
            workers = [
                p for p in psutil.Process().children(recursive=True) if "runner" in p.cmdline()
            ]
            killed.append(workers[-1].pid)
            workers[-1].kill()

    request = RoundRequest(
        jobs=(null("a", spin_ns=1000), null("b", spin_ns=1000)),
        **{**QUICK, "measure_ns": 200_000_000},
    )
    repetitions = session.round(request, kill)
    assert killed
    assert sorted(r.status for r in repetitions) == ["failed", "ok"]
    failed = next(r for r in repetitions if r.status == "failed")
    assert failed.reason == "crashed"
    assert "SIGKILL" in (failed.detail or "")


def test_an_onnx_model_is_timed_and_predicts_in_row_order(
    session: Session, tmp_path: Path, make_model
) -> None:
    import onnxruntime as ort

    model = make_model()
    x = np.random.default_rng(3).standard_normal((37, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    session.stage([model, tmp_path / "x.npy"])
    sha = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in (model, tmp_path / "x.npy")}
    for batch in (1, 5):
        job = Job(
            trial="m", artifact=sha[model], inputs={"x": sha[tmp_path / "x.npy"]}, batch=batch
        )
        request = RoundRequest(jobs=(job,), **QUICK, predict=("m",))
        (repetition,) = session.round(request, lambda event: None)
        assert repetition.status == "ok", repetition.detail
        assert repetition.load_ns > 0
        assert repetition.first_query_ns > 0
        assert repetition.providers == ("CPUExecutionProvider",)
        memory = repetition.memory
        assert memory.imports_bytes <= memory.loaded_bytes <= memory.peak_bytes
        session.fetch(repetition.outputs["scores"], tmp_path / "out.npy")
        expected = ort.InferenceSession(model).run(None, {"x": x})[0]
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5)


def test_a_model_that_does_not_load_says_why(session: Session, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    session.stage([tmp_path / "m.onnx"])
    sha = hashlib.sha256(b"no model").hexdigest()
    found = measure(session, Job(trial="m", artifact=sha))
    assert found["m"].reason == "error"
    assert "protobuf" in (found["m"].detail or "").lower()


def test_a_paused_runner_burns_no_cpu(session: Session) -> None:
    """While one runner works, the others' CPU time stands still."""
    import psutil

    readings: list[dict[int, float]] = []

    def read(event: dict[str, object]) -> None:
        if event["stage"] == "measure":
            readings.append(
                {p.pid: sum(p.cpu_times()[:2])
                 for p in psutil.Process().children(recursive=True) if "runner" in p.cmdline()}
            )  # fmt: skip

    # One long sleep per query: no runner has anything to do between the blocks.
    jobs = tuple(null(f"j{i}", sleep_ns=20_000_000) for i in range(3))
    request = RoundRequest(jobs=jobs, **{**QUICK, "measure_ns": 400_000_000})
    session.round(request, read)
    assert len(readings) >= 2
    for pid, seconds in readings[-1].items():
        assert seconds - readings[0].get(pid, seconds) <= 0.1


def test_the_worker_and_its_runners_end_with_the_host(tmp_path: Path) -> None:
    """kill -9 of the host: nothing of ours keeps burning the device."""
    import psutil

    code = (
        "import sys; from pathlib import Path\n"
        "from profiler.devices.session import Session\n"
        "from profiler.wire.messages import Job, RoundRequest\n"
        "from profiler.transport.local import LocalTransport\n"
        "with Session(LocalTransport(home=Path(sys.argv[1]))) as s:\n"
        "    job = Job(trial='a', backend='null', backend_options={'sleep_ns': 5e6})\n"
        "    s.round(RoundRequest(jobs=(job,), round=0, seed=0, measure_ns=10**11),\n"
        "            lambda e: print(e, flush=True))\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    while "measure" not in host.stdout.readline():
        assert host.poll() is None
    family = psutil.Process(host.pid).children(recursive=True)
    assert len(family) == 2
    host.kill()
    host.wait()
    host.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_noise_on_the_stream_is_skipped() -> None:
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"Welcome to the machine!\n\x1eprofiler1 not json\nmotd ")
        os.write(write_end, pack({"a": 1}) + b"tail")
        reader = LineReader(read_end)
        assert reader.read(1.0) == {"a": 1}
        assert "Welcome to the machine!" in reader.skipped
        os.close(write_end)
        with pytest.raises(EndOfStream):
            reader.read(1.0)
    finally:
        os.close(read_end)


def test_stray_output_of_a_library_does_not_reach_the_protocol(tmp_path: Path) -> None:
    code = (
        "import os\nfrom profiler.wire.channel import Channel\n"
        "c = Channel.take_over_stdio()\n"
        "print('stray', flush=True); os.system('echo from C')\n"
        "assert input.__self__ and os.read(0, 9) == b''\n"
        "c.send(c.receive())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pack({"x": 1}), capture_output=True, timeout=30
    )
    assert done.stdout == pack({"x": 1})
    assert b"stray" in done.stderr
    assert b"from C" in done.stderr


def test_an_unknown_operation_and_a_bad_blob_name_are_answers(session: Session) -> None:
    with pytest.raises(WorkerError, match="unknown operation"):
        session._ask("reboot")
    with pytest.raises(WorkerError, match="not a blob name"):
        session._ask("have", shas=["../../etc/passwd"])


def test_a_damaged_blob_is_staged_again(tmp_path: Path) -> None:
    path, home = tmp_path / "blob", tmp_path / "home"
    path.write_bytes(b"content")
    sha = hashlib.sha256(b"content").hexdigest()
    with Session(LocalTransport(home=home)) as session:
        session.stage([path])
        blob = home / "blobs" / sha
        blob.write_bytes(b"damaged")
        assert session._ask("have", shas=[sha]) == {"missing": [sha]}
        assert not blob.exists()


def test_an_interpreter_that_is_not_there() -> None:
    transport = LocalTransport(python="/nonexistent/python3")
    with pytest.raises(TransportError, match="can't be started") as caught:
        Session(transport).__enter__()
    assert "python" in (caught.value.hint or "")


def test_time_between_hello_and_nothing_is_bounded(tmp_path: Path) -> None:
    """A worker that ends at once is an error with its last words, not a wait."""
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'no module named zlib' >&2\nexit 3\n")
    fake.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(TransportError, match=r"exit status 3.*no module named zlib"):
        Session(LocalTransport(python=str(fake), home=tmp_path / "h")).__enter__()
    assert time.monotonic() - start < 60


def test_a_spike_of_one_query_is_in_the_peak(session: Session) -> None:
    size = 64_000_000
    spike = {"sleep_ns": 100_000.0, "spike_at": 20, "spike_bytes": float(size)}
    found = measure(session, null("still", sleep_ns=100_000), null("spike", **spike))
    grown = {name: one.memory.peak_bytes - one.memory.loaded_bytes for name, one in found.items()}
    assert abs(grown["spike"] - grown["still"] - size) < 0.02 * size


def test_without_the_arena_memory_goes_back_after_each_query(
    session: Session, tmp_path: Path
) -> None:
    """One operator makes one tensor of 64 MB; the arena holds more than that."""
    from onnx import TensorProto, helper, numpy_helper, save

    rows, width = 16_000, 1000
    graph = helper.make_graph(
        [
            helper.make_node("Expand", ["x", "shape"], ["big"]),
            helper.make_node("Slice", ["big", "start", "end", "axis"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array(value, np.int64), name)
            for name, value in (("shape", [rows, width]), ("start", [0]), ("end", [1]),
                                ("axis", [0]))
        ],
    )  # fmt: skip
    model, data = tmp_path / "m.onnx", tmp_path / "x.npy"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)
    np.save(data, np.ones((2, width), np.float32))
    session.stage([model, data])
    sha = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in (model, data)}
    jobs = [
        Job(trial=name, artifact=sha[model], inputs={"x": sha[data]}, arena=name == "on")
        for name in ("on", "off")
    ]
    found = measure(session, *jobs)
    grown = {name: one.memory.peak_bytes - one.memory.loaded_bytes for name, one in found.items()}
    assert 64e6 <= grown["off"] < 1.1 * 64e6
    assert grown["on"] > grown["off"]


def test_a_full_disk_is_not_the_trials_fault(tmp_path: Path) -> None:
    """The round fails as a whole, to be done again; a trial called failed would be given up."""
    import errno

    from profiler.worker.blobs import BlobFolder
    from profiler.worker.measuring.child import NO_SPACE, RunnerFailed
    from profiler.worker.measuring.rounds import Round
    from profiler.worker.measuring.runner import failure

    told = failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert told["reason"] == NO_SPACE
    assert failure(OSError(errno.EIO, "x"))["reason"] == "error"
    request = RoundRequest(jobs=(null("t"),), round=0, seed=0)
    measured = Round(request, tmp_path, BlobFolder(tmp_path / "out"), lambda event: None)

    def full(slot: object) -> None:
        raise RunnerFailed(NO_SPACE, told["detail"])

    with pytest.raises(RunnerFailed, match="No space left"):
        measured._try(measured.slots[0], full)
    assert measured.slots[0].failed is None
