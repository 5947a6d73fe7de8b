"""The worker's archive as a folder of compiled modules."""

import zipfile
from pathlib import Path

import pytest

from profiler.devices.session import Session
from profiler.transport.local import LocalTransport
from profiler.wire.messages import Job, RoundRequest
from profiler.worker.code import program


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "abc"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("__main__.py", "print(1)")
        packed.writestr("profiler/__init__.py", "")
    return path


def test_the_archive_is_unpacked_once(archive: Path, tmp_path: Path) -> None:
    place = program(archive, tmp_path / "home")
    assert place == tmp_path / "home" / "code" / "abc"
    assert (place / "profiler" / "__init__.py").is_file()
    (place / "mark").touch()
    assert program(archive, tmp_path / "home") == place
    assert (place / "mark").exists()
    assert [p.name for p in place.parent.iterdir()] == ["abc"]


def test_what_can_not_be_unpacked_runs_as_it_is(tmp_path: Path) -> None:
    none = tmp_path / "none"
    none.write_text("no archive")
    assert program(none, tmp_path / "home") == none
    assert not list((tmp_path / "home").rglob("*none*"))


def test_another_session_may_be_faster(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        target.mkdir(parents=True)
        (target / "full").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert program(archive, home) == home / "code" / "abc"
    assert (home / "code" / "abc" / "full").exists()
    assert len(list((home / "code").iterdir())) == 1


def test_runners_find_their_modules_compiled(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Session(LocalTransport(home=home)) as session:
        request = RoundRequest(
            jobs=(Job(trial="t", backend="null"),), round=0, seed=0, measure_ns=1, min_blocks=1,
            warmup_ns=1, max_warmup_ns=1,
        )  # fmt: skip
        (found,) = session.round(request, lambda event: None)
    assert found.status == "ok"
    (place,) = (home / "code").iterdir()
    assert place.name == session.facts["worker"]
    assert list((place / "profiler" / "worker" / "measuring" / "__pycache__").glob("runner.*.pyc"))
