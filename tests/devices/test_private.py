"""The way to a device (user, host, port, configuration, key) reaches no file of results."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from profiler import Study, run
from profiler.cli import app
from profiler.errors import TransportError
from profiler.progress import Silent
from profiler.schema.device.ssh import SshSpec
from profiler.transport.ssh.transport import SshTransport

SECRETS = (
    "hidden-host", "198.18.9.9", "hidden-user", "port 22022", "= 22022", ":22022",
    "secret-config", "secret-key", "hidden-gate",
)  # fmt: skip
TARGET = """transport = "ssh"
[ssh]
host = "hidden-host"
user = "hidden-user"
port = 22022
config_file = "/etc/secret-config"
identity_file = "/etc/secret-key"
proxy_jump = "hidden-gate"
folder = "/home/hidden-user/place"
"""
SSH = """#!/bin/sh
echo 'ssh: connect to host hidden-host (198.18.9.9) port 22022: Connection refused' >&2
exit 255
"""


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def told(folder: Path) -> str:
    """All that the folder holds, and all that the commands make of it."""
    commands = [["table", "--format", kind] for kind in ("text", "markdown", "csv", "json")]
    said = io.StringIO()
    for command, *options in (*commands, ["report"], ["check"]):
        with contextlib.redirect_stdout(said), contextlib.suppress(typer.Exit):
            app([command, str(folder), *options], standalone_mode=False)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"rows.jsonl", "report.html"} <= {path.name for path in files}
    return said.getvalue() + "".join(p.read_bytes().decode(errors="replace") for p in files)


@pytest.mark.usefixtures("one_round")
def test_a_lost_target_is_told_by_its_name(
    make_study: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "board.toml").write_text(TARGET)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(SSH)
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    measure = '[measure]\nbudget = "5s"\nround_time = "10ms"\nmin_rounds = 4\nmax_rounds = 4\n'
    study = Study.read(make_study(measure, targets='["board", "local-cpu"]'))
    progress = Notes()
    results = run(study, tmp_path / "out", progress=progress)
    assert "hidden-user@hidden-host" in "".join(progress.notes), "who runs it may see the way"
    assert "can't be reached: Connection refused" in results.lost["board"].reason
    everything = told(tmp_path / "out")
    assert "board" in everything
    assert [secret for secret in SECRETS if secret in everything] == []


@pytest.mark.parametrize(
    "mode",
    ["denied", "unknown", "changed", "refused", "unreachable", "name", "option", "lost", "silent",
     "full", "full-later", "old", "noisy"],
)  # fmt: skip
def test_what_records_keep_of_every_failure(
    stub: Callable[..., None], tmp_path: Path, mode: str
) -> None:
    stub(mode)
    spec = SshSpec(host="device", user="pi", port=2222, folder=str(tmp_path / "d"),
                   identity_file="/home/me/key", config_file="/home/me/config")  # fmt: skip
    transport = SshTransport(spec, "/home/me/env/bin/python3")
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(TransportError) as caught:
        transport.stage(tmp_path / "x", "0" * 64)
    transport.close()
    reason, hint = caught.value.recorded()
    assert hint is None
    assert reason
    for secret in ("pi@", "host device", "port 22", "2222", "/home/me", str(tmp_path)):
        assert secret not in reason
