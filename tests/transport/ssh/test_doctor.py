"""`targets doctor` over a real sshd: what it finds, measures, and leaves behind."""

import json
import os
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.cli import main
from profiler.commands.doctor import Examination, examination
from profiler.devices.link import Link, measure, travelling_bytes
from profiler.devices.session import Session, open_session
from profiler.errors import TransportError
from profiler.schema.device.target_files import find_target
from profiler.transport import over_ssh, payload
from profiler.transport.ssh.transport import SshTransport
from profiler.transport.travel import Travel, silent

Write = Callable[..., Path]


@pytest.fixture
def write(sshd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """write(python, lines of the target) makes targets/board.toml; -> our folder there."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "device"
    spec = sshd.with_folder(folder)

    def write(python: Path | str, *lines: str, port: int | None = None) -> Path:
        (tmp_path / "targets").mkdir()
        (tmp_path / "targets" / "board.toml").write_text(
            f'transport = "ssh"\npython = "{python}"\n' + "\n".join(lines) + f'\n[ssh]\nhost = "'
            f'{spec.host}"\nuser = "{spec.user}"\nport = {port or spec.port}\nidentity_file = "'
            f'{spec.identity_file}"\nconfig_file = "{spec.config_file}"\nfolder = "{folder}"\n'
        )
        return folder

    return write


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python without any package."""
    venv.create(tmp_path / "bare", symlinks=True)
    return tmp_path / "bare" / "bin" / "python"


@pytest.fixture
def own(tmp_path: Path, wheels: Callable[..., None]) -> str:
    """A line of the target: wheels of the user's own, 3 MB that nothing compresses."""
    wheels("numpy", "2.1.0")
    wheels("onnxruntime", "1.20.0")
    with zipfile.ZipFile(next((tmp_path / "wheels").glob("numpy*")), "a") as wheel:
        wheel.writestr("numpy.bin", os.urandom(3_000_000))
    return f'wheels = "{tmp_path / "wheels"}"'


def examined() -> Examination:
    return examination(find_target("board", Path.cwd()), lambda text: None, silent)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["profiler", "targets", "doctor", *words])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return code, capsys.readouterr().out


def test_a_device_that_has_everything(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(sys.executable)
    code, first = typed(capsys, "board")
    assert code == 0, first
    assert first.startswith("board: ready\n")
    assert "worker" in first
    assert "brought just now" in first
    assert "what is missing" not in first
    assert max(map(len, first.splitlines())) <= 80
    assert [path.name for path in (folder / "blobs").iterdir()] == [payload.build()[1]]
    assert list((folder / "packages").iterdir()) == []
    code, text = typed(capsys, "board", "--json")
    found = json.loads(text)
    assert (code, found["ready"], found["missing"]) == (0, True, [])
    (worker,) = found["brought"]
    assert (worker["there"], worker["seconds"]) == (True, 0)
    assert found["link"]["round_trip_s"] > 0
    assert found["facts"]["disk_free_bytes"] > 0
    assert found["disk_needed_bytes"] is None


def test_a_device_with_a_bare_python(
    write: Write, bare: Path, own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(bare, own)
    found = examined()
    assert found.ready, found.missing
    _, packages = found.brought
    assert packages.what == "numpy 2.1.0 and onnxruntime 1.20.0"
    assert not packages.there
    assert 3_000_000 < (packages.bytes or 0) < 3_100_000
    assert (packages.seconds or 0) > 0
    assert 22_000_000 < (found.disk_needed_bytes or 0) < 24_000_000, "archive, content, reserve"
    assert len(list((folder / "blobs").iterdir())) == 1, "the packages were not sent"
    code, text = typed(capsys, "board")
    assert code == 0
    assert "numpy 2.1.0 and onnxruntime 1.20.0: 3.0" in text
    assert "there already" in text
    with open_session(find_target("board", Path.cwd())):
        pass
    _, again = examined().brought
    assert again.there, "a run has brought them"


def test_what_the_index_lacks_is_missing(
    write: Write, bare: Path, own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next((tmp_path / "wheels").glob("onnxruntime*")).unlink()
    write(bare, own)
    code, text = typed(capsys, "board")
    assert code == 3
    assert text.startswith("board: not ready\n")
    assert "hint: on a machine with a network: pip download" in " ".join(text.split())
    assert "round trip" in text, "the rest is told"


def test_a_full_disk_is_missing_room(
    write: Write, bare: Path, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bare, own)
    facts = Session._begin

    def nearly_full(session: Session, sha: str) -> None:
        facts(session, sha)
        session.facts["disk_free_bytes"] = 1_000_000

    monkeypatch.setattr(Session, "_begin", nearly_full)
    (missing,) = examined().missing
    assert "its disk is too full" in missing.reason
    assert "1.00 MB are free" in missing.reason
    assert "set folder" in str(missing.hint)


def test_a_device_without_the_provider(write: Write, bare: Path, own: str) -> None:
    write(sys.executable, 'provider = "XnnpackExecutionProvider"')
    (missing,) = examined().missing
    assert "XnnpackExecutionProvider is not in" in missing.reason
    assert "--use_xnnpack" in str(missing.hint)


def test_a_device_that_does_not_answer(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(sys.executable, port=1)
    code, text = typed(capsys, "board")
    assert code == 3
    assert "Connection refused" in text
    assert "hint: is it on" in text


def test_a_link_of_known_speed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transfer takes 0.3 s to start, and half a second for 1 MB."""
    folder = write(sys.executable)
    now, stage, feed = [0.0], SshTransport.stage, SshTransport._feed
    target = find_target("board", Path.cwd())

    def slow_stage(self: SshTransport, path: Path, sha: str, called: str = "") -> None:
        now[0] += 0.3
        stage(self, path, sha, called)

    def slow_feed(self: SshTransport, pipe: Any, path: Path, offset: int) -> None:
        feed(self, pipe, path, offset)
        now[0] += path.stat().st_size / 2e6

    def broken(self: SshTransport, *_: object) -> None:
        feed(self, *_)
        raise TransportError("the link broke")

    travel = Travel(clock=lambda: now[0])
    with Session(over_ssh(target, travel)) as session:
        monkeypatch.setattr(SshTransport, "stage", slow_stage)
        assert measure(session, travel, lambda: now[0]).bytes_per_s is None, "too fast to tell"
        monkeypatch.setattr(SshTransport, "_feed", slow_feed)
        link = measure(session, travel, lambda: now[0])
        assert link.bytes_per_s == pytest.approx(2e6)
        assert link.seconds(10_000_000) == pytest.approx(5)
        monkeypatch.setattr(SshTransport, "_feed", broken)
        with pytest.raises(TransportError, match="the link broke"):
            measure(session, travel)
        assert [path.name for path in (folder / "blobs").iterdir()] == [payload.build()[1]]


def test_what_compresses_travels_compressed_over_a_slow_link(tmp_path: Path) -> None:
    file = tmp_path / "zeros"
    file.write_bytes(bytes(3_000_000))
    slow, fast = (Link(round_trip_s=0.1, bytes_per_s=rate) for rate in (1e5, None))
    assert travelling_bytes(file, slow) < 30_000
    assert travelling_bytes(file, fast) == 3_000_000
    file.write_bytes(os.urandom(100_000))
    assert travelling_bytes(file, slow) == 100_000
