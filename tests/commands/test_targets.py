"""`profiler targets`: what a person types about devices, and sees."""

import functools
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Stub = Callable[..., None]
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def targets(program: Call) -> Call:
    return functools.partial(program, "targets")


def test_a_device_from_first_contact_to_no_trace(targets: Call, tmp_path: Path, stub: Stub) -> None:
    stub("plain")
    folder = tmp_path / "device"
    done = targets("add", "pi5", "--ssh", "pi@device:2222", "--folder", folder,
                   "--python", sys.executable)  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = tomllib.loads((tmp_path / "targets" / "pi5.toml").read_text())
    assert written["ssh"] == {
        "host": "device", "user": "pi", "port": 2222, "folder": str(folder),
    }  # fmt: skip
    assert written["declares"]["cores"] >= 1
    listed = {row["name"]: row for row in json.loads(targets("--json").stdout)}
    assert listed["pi5"]["state"] == "ready"
    assert listed["pi5"]["differences"] == []
    assert listed["local-cpu"]["state"] == "ready"
    text = (tmp_path / "targets" / "pi5.toml").read_text()
    (tmp_path / "targets" / "pi5.toml").write_text(text.replace("cores = ", "cores = 9"))
    check = targets("check", "pi5")
    assert check.returncode == 0, check.stderr
    assert "declared cores 9" in check.stdout
    assert "declared cores 9" in targets().stdout, "alone it lists"
    ready = json.loads(targets("check", "pi5", "--json").stdout)["ready"]
    assert {finding["level"] for finding in ready} <= {"good", "note", "problem"}
    assert any("load" in finding["text"] for finding in ready)
    assert folder.is_dir()
    assert targets("clean", "pi5").returncode == 0
    assert not folder.exists()


def test_what_is_wrong_is_said_once(targets: Call, tmp_path: Path, stub: Stub) -> None:
    stub("denied")
    for arguments, code, says in (
        (("add", "pi5", "--ssh", "pi@device"), 3, "none of your keys"),
        (("add", "pi5", "--ssh", "-oProxyCommand=x"), 2, "--ssh: expected a host name"),
        (("add", "../x", "--ssh", "device"), 2, "NAME: expected letters"),
        (("check", "pi6"), 2, "no target called"),
        (("check", "raspberry-pi-5"), 3, "placeholder"),
    ):
        done = targets(*arguments)
        assert done.returncode == code, done.stderr
        assert says in done.stderr
        assert "hint:" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "targets").exists(), "a target that can't be reached is not written"


def test_a_list_names_who_does_not_answer(targets: Call, tmp_path: Path, stub: Stub) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "far.toml").write_text('transport = "ssh"\n[ssh]\nhost = "device"\n')
    stub("unreachable")
    listed = {row["name"]: row for row in json.loads(targets("list", "--json").stdout)}
    assert listed["far"]["state"] == "does not answer"
    assert "No route to host" in listed["far"]["reason"]
    assert "is it on" in listed["far"]["hint"]
    assert listed["raspberry-pi-5"]["state"] == "needs its host"
    assert "targets add" in listed["raspberry-pi-5"]["hint"]
    shown = targets("list").stdout
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("ready", "needs its host: profiler targets add", "does not answer"):
        assert f"\n{word}" in f"\n{shown}"


def test_an_ssh_target_needs_its_table(targets: Call, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    for text, says in (
        ('transport = "ssh"\n', "far.toml: ssh: expected a table"),
        ('[ssh]\nhost = "device"\n', 'transport: expected "ssh"'),
        ('transport = "ssh"\n[ssh]\nhost = "-x"\n', "ssh.host: expected a host name"),
        ('transport = "ssh"\n[ssh]\nhots = "x"\n', 'did you mean "host"?'),
    ):
        (tmp_path / "targets" / "far.toml").write_text(text)
        done = targets("check", "far")
        assert done.returncode == 2
        assert says in done.stderr
