"""Links that break and devices that go, in the middle of whole studies."""

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import profiler.devices.session
from profiler import Study, load, run
from profiler.errors import TransportError
from profiler.progress import Silent

MakeStudy = Callable[..., Path]
Stub = Callable[..., None]
BOTH = '["device", "local-cpu"]'
FAST_ROUNDS = (
    '[measure]\nbudget = "20s"\nround_time = "20ms"\nmin_rounds = 4\nmax_rounds = 4\n'
)  # fmt: skip


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, text: str) -> None:
        self.notes.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def device(tmp_path: Path) -> None:
    """A target called `device`, behind the stub ssh."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "device.toml").write_text(
        f'transport = "ssh"\npython = "{sys.executable}"\n'
        f'[ssh]\nhost = "board.example"\nuser = "ada"\nfolder = "{tmp_path}/device"\n'
    )


def counted(out: Path) -> Counter[tuple[str, int]]:
    return Counter(
        (repetition["trial"], repetition["round"])
        for line in (out / "rows.jsonl").read_text().splitlines()
        for repetition in json.loads(line).get("repetitions", ())
    )


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("before", ["protocol", "stage", "repetitions"])
def test_a_broken_link_loses_nothing_and_doubles_nothing(
    make_study: MakeStudy, tmp_path: Path, stub: Stub, before: str
) -> None:
    stub("flaky", STUB_STATE=str(tmp_path / "broken"), STUB_BEFORE=before)
    study = Study.read(make_study(FAST_ROUNDS, targets='["device"]'))
    told = Notes()
    results = run(study, tmp_path / "out", progress=told)
    assert (tmp_path / "broken").exists()
    assert any("trying again" in note for note in told.notes)
    assert set(counted(tmp_path / "out").values()) == {1}
    assert len(counted(tmp_path / "out")) == 8, "one trial and the yardstick"
    assert results.complete
    assert results.table()["accuracy"].tolist() == [1.0]
    assert results.lost == {}
    text = (tmp_path / "out" / "meta.json").read_text()
    assert '"host"' not in text, "where a device is stays out of results"


@pytest.mark.usefixtures("device")
def test_a_device_that_goes_is_a_row_and_stops_nobody(
    make_study: MakeStudy, tmp_path: Path, stub: Stub
) -> None:
    stub("gone", STUB_STATE=str(tmp_path / "broken"), STUB_BEFORE="stage")
    study = Study.read(make_study(FAST_ROUNDS, targets='["device", "local-cpu"]'))
    results = run(study, tmp_path / "out", progress=Notes())
    table = results.table().set_index("target")
    assert table.loc["local-cpu", "status"] == "ok"
    assert table.loc["local-cpu", "rounds"] == 4
    assert table.loc["device", "status"] == "failed"
    assert "No route to host" in table.loc["device", "reason"]
    assert not table.loc["device", "frontier"]
    assert set(results.lost) == {"device"}
    assert not results.complete
    stub("plain")
    again = run(study, tmp_path / "out")
    assert (again.table()["status"] == "ok").all()
    assert again.complete
    assert again.lost == {}
    assert set(counted(tmp_path / "out").values()) == {1}


@pytest.mark.usefixtures("device")
def test_a_device_that_never_answers_leaves_the_numbers_of_others_alone(
    make_study: MakeStudy, tmp_path: Path, stub: Stub
) -> None:
    stub("refused")
    study = Study.read(make_study(FAST_ROUNDS, targets='["device", "local-cpu"]'))
    run(study, tmp_path / "out", progress=Notes())
    table = load(tmp_path / "out").table().set_index("target")
    assert table["status"].to_dict() == {"device": "failed", "local-cpu": "ok"}
    assert table.loc["device", "reason"].startswith("can't be reached: Connection refused")
    for path in (tmp_path / "out").rglob("*.json*"):
        text = path.read_text()
        assert not any(way in text for way in ("board.example", "ada@", str(tmp_path))), path.name
    before = counted(tmp_path / "out")
    stub("plain")
    assert run(study, tmp_path / "out").complete
    assert counted(tmp_path / "out") > before
    assert set(counted(tmp_path / "out").values()) == {1}


@pytest.mark.usefixtures("device")
def test_nobody_there_is_an_error(make_study: MakeStudy, tmp_path: Path, stub: Stub) -> None:
    stub("name")
    with pytest.raises(TransportError, match="no address"):
        run(Study.read(make_study(targets='["device"]')), tmp_path / "out")


@pytest.mark.usefixtures("device")
@pytest.mark.usefixtures("one_round")
def test_auto_does_without_a_device_that_never_answers(
    make_study: MakeStudy, tmp_path: Path, stub: Stub
) -> None:
    stub("refused")
    study = make_study('variants = ["fp32", "auto"]\n' + FAST_ROUNDS, targets=BOTH)
    results = run(Study.read(study), tmp_path / "out", progress=Notes())
    table = results.table()
    here = table[table["target"] == "local-cpu"]
    assert (here["status"] == "ok").all()
    assert any(variant != "fp32" for variant in here["variant"])
    there = table[table["target"] == "device"]
    assert len(there) > 0
    assert (there["status"] == "failed").all()
    assert "Connection refused" in there["reason"].iloc[0]


@pytest.mark.usefixtures("one_round")
def test_times_of_an_emulated_device_are_no_rivals(make_study: MakeStudy, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "toy.toml").write_text("emulated = true\n")
    study = Study.read(make_study(FAST_ROUNDS, targets='["toy", "local-cpu"]'))
    results = run(study, tmp_path / "out")
    table = results.table().set_index("target")
    assert table.loc["toy", "frontier"], "on the frontier of the emulated"
    assert table.loc["local-cpu", "frontier"]
    assert table["chosen"].to_dict() == {"toy": False, "local-cpu": True}
    from profiler.report.warnings import warnings

    assert any("toy is emulated" in text for text in warnings(results))


def test_a_silent_host_ends_the_worker_and_pings_keep_it(tmp_path: Path) -> None:
    """The limit itself is the conformance suite's; here the host's side: it does send pings."""
    from profiler.devices.session import Session
    from profiler.transport.local import LocalTransport

    sent: list[bytes] = []

    class Heard(LocalTransport):
        def spawn(self, worker_sha: str):  # type: ignore[no-untyped-def]
            pipe = super().spawn(worker_sha)
            send = pipe.send

            def listen(data: bytes) -> None:
                sent.append(data)
                send(data)

            pipe.send = listen  # type: ignore[method-assign]
            return pipe

    profiler.devices.session.PING_S, before = 0.01, profiler.devices.session.PING_S
    try:
        with Session(Heard(home=tmp_path)) as session:
            while not any(b"ping" in data for data in sent):
                session.stage([])
    finally:
        profiler.devices.session.PING_S = before
    assert b"silence_s" in b"".join(sent)


def test_a_worker_killed_while_nobody_listened_is_told_and_tried_again() -> None:
    """Its pipe is broken when the next question is sent; the device's own word lies there still."""
    from profiler.devices.session import Session
    from profiler.errors import TransientError

    class Dead:
        class reader:
            @staticmethod
            def read(timeout_s: float) -> dict[str, int]:
                return {"ended": 137}

        def send(self, data: bytes) -> None:
            raise TransportError("the command there ended with status 0")

        def at_most(self, limit_s: float) -> contextlib.AbstractContextManager[None]:
            return contextlib.nullcontext()

        def failure(self) -> TransportError:
            return TransportError("unused")

    session = Session(object())  # type: ignore[arg-type]
    session._pipe = Dead()  # type: ignore[assignment]
    with pytest.raises(TransientError, match="killed on the device"):
        session._ask("have", shas=[])


def test_files_are_hashed_once_and_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from profiler.devices.session import Session
    from profiler.transport.local import LocalTransport

    model, hashed = tmp_path / "model", []
    real = profiler.devices.session.sha_of
    monkeypatch.setattr(
        profiler.devices.session, "sha_of", lambda path: hashed.append(path) or real(path)
    )
    model.write_bytes(b"one")
    with Session(LocalTransport(home=tmp_path / "home")) as session:
        for _ in range(3):
            session.stage([model])
        assert hashed == [model]
        model.write_bytes(b"other")
        session.stage([model])
        assert hashed == [model, model]
        assert len(session._staged) == 2


def test_a_warm_device_is_not_sent_the_worker_again_unless_it_is_damaged(tmp_path: Path) -> None:
    from profiler.devices.session import Session
    from profiler.transport.local import LocalTransport

    sent: list[str] = []

    class Counted(LocalTransport):
        def stage(self, path: Path, sha: str, called: str = "") -> None:
            sent.append(sha)
            super().stage(path, sha)

    def visit() -> None:
        with Session(Counted(home=tmp_path / "device")) as session:
            assert session.facts["worker"] == sent[0]

    visit()
    assert len(sent) == 1
    visit()
    assert len(sent) == 1
    blob = tmp_path / "device" / "blobs" / sent[0]
    whole = blob.read_bytes()
    blob.write_bytes(whole[:1000])
    visit()
    assert len(sent) == 2
    blob.write_bytes(whole + b"#")  # a zip that still runs, but is another one
    visit()
    assert len(sent) == 3
    assert blob.read_bytes() == whole


@pytest.mark.usefixtures("one_round")
def test_what_is_sent_is_called_by_its_model_and_variant(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from profiler.transport.local import LocalTransport

    sent: list[str] = []
    stage = LocalTransport.stage

    def noted(self: LocalTransport, path: Path, sha: str, called: str = "") -> None:
        sent.append(called)
        stage(self, path, sha, called)

    monkeypatch.setattr(LocalTransport, "stage", noted)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # nothing has been sent there
    run(Study.read(make_study(FAST_ROUNDS)), tmp_path / "out")
    assert sent[:3] == ["", "m/fp32", "rows for m/fp32"], "the worker names itself"
    assert sent[3:] == ["yardstick/fp32", "rows for yardstick/fp32"]
