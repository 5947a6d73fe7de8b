"""Files of ours that go while they are needed, and who may remove them."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import run
from profiler.devices.session import Session
from profiler.errors import TransientError, TransportError
from profiler.progress import Silent
from profiler.schema.device.ssh import SshSpec
from profiler.schema.study.study import Study
from profiler.transport.base import Transport
from profiler.transport.local import LocalTransport
from profiler.transport.ssh.transport import SshTransport
from profiler.wire.messages import GONE
from profiler.worker.service import presence

BRIEF = """variants = ["fp32"]
[measure]
budget = "20s"
round_time = "10ms"
block_time = "2ms"

min_rounds = 4
max_rounds = 4
"""
MakeStudy = Callable[..., Path]


class Cleaner(Silent):
    """Removes `what` of a device's folder once, in the middle of a round."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder, self.what, self.notes = folder, what, list[str]()
        self.gone: list[Path] = []

    def update(self, text: str, done: float, left_s: float) -> None:
        if self.folder.is_dir() and not self.gone:
            self.gone = sorted(self.folder.glob(self.what)) if self.what else [self.folder]
            for path in self.gone:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def lane(self, name: str) -> "Cleaner":
        return self


@pytest.mark.parametrize(
    ("target", "what"),
    [("local-cpu", "blobs/*"), ("local-cpu", "out-*"), ("device", "")],
)  # fmt: skip
def test_what_a_cleaner_took_is_sent_again_and_the_round_repeated(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stub: Callable[..., None], target: str, what: str,
) -> None:  # fmt: skip
    stub("plain")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "device.toml").write_text(
        f'transport = "ssh"\npython = "{sys.executable}"\n'
        f'[ssh]\nhost = "device"\nfolder = "{tmp_path}/device"\n'
    )
    study = Study.read(make_study(BRIEF, targets=f'["{target}"]', data=False))
    there = tmp_path / ("device" if target == "device" else "cache/profiler/device")
    cleaner = Cleaner(there, what)
    results = run(study, tmp_path / "out", progress=cleaner)
    assert cleaner.gone
    assert results.complete
    assert results.lost == {}
    assert results.table()["status"].tolist() == ["ok"]
    repetitions = [
        (repetition["trial"], repetition["round"], repetition["status"])
        for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()
        for repetition in json.loads(line).get("repetitions", ())
    ]
    assert len(set(repetitions)) == len(repetitions) == 8, "one trial and the yardstick"
    assert {status for _, _, status in repetitions} == {"ok"}
    assert any(GONE in note for note in cleaner.notes)


def test_a_result_that_was_removed_before_it_was_fetched_is_asked_for_again(
    tmp_path: Path,
) -> None:
    with (
        Session(LocalTransport(home=tmp_path / "home")) as session,
        pytest.raises(TransientError, match="removed on the device"),
    ):
        session.fetch("0" * 64, tmp_path / "to")


def over(kind: str, folder: Path) -> Transport:
    if kind == "local":
        return LocalTransport(home=folder)
    return SshTransport(SshSpec(host="device", folder=str(folder)), sys.executable)


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_a_folder_in_use_is_not_removed(
    tmp_path: Path, stub: Callable[..., None], kind: str
) -> None:
    stub("plain")
    folder = tmp_path / "device"
    other = over(kind, folder)
    with Session(over(kind, folder)) as session:
        with pytest.raises(TransportError, match=r"at work there \(pid \d+ there, for \d+ s\)"):
            other.clean()
        assert session.facts["python"]
        session.stage([Path(__file__)])
    other.clean()
    assert not folder.exists()
    other.clean()
    other.close()


def test_who_waited_while_the_folder_was_removed_gets_a_new_one(tmp_path: Path) -> None:
    """Else it would hold a lock on a file that nobody else sees."""
    import fcntl

    home, entered = tmp_path / "home", list[int]()
    home.mkdir()
    with (home / presence.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: entered.append(presence.enter(home)))
        waiting.start()
        while " -> " not in Path("/proc/locks").read_text().replace(":", ""):
            assert waiting.is_alive()
        shutil.rmtree(home)
    waiting.join()
    assert os.fstat(entered[0]).st_ino == (home / presence.LOCK).stat().st_ino
    os.close(entered[0])


def test_what_cannot_fit_is_refused_before_a_byte_is_written(
    tmp_path: Path, stub: Callable[..., None]
) -> None:
    stub("plain")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free + 2**30)
    for kind in ("local", "ssh"):
        transport = over(kind, tmp_path / kind)
        with pytest.raises(TransportError, match=r"[\d.]+ MB are to come, [\d.]+ MB are free"):
            transport.stage(huge, "0" * 64)
        transport.close()
        assert not list((tmp_path / kind / "blobs").iterdir()), kind
