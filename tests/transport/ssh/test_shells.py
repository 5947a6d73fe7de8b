"""Login shells over real OpenSSH and dropbear: all kinds of them work, and what gets in the way is
told with its own words."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import profiler.transport.ssh.line
import profiler.transport.ssh.transport
from profiler.devices.session import Session
from profiler.schema.device.ssh import SshSpec
from profiler.transport.ssh import errors as ssh_errors
from profiler.transport.ssh.transport import SshTransport

Login = Callable[[str], SshSpec]
SYSTEM_PYTHON = "/usr/bin/python3"
SHELLS = ("bash", "dash", "zsh", "fish", "csh", "tcsh", "busybox ash")


def having(shell: str) -> str:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"needs {shell}: sudo scripts/setup_devices")
    return shell


def as_login(shell: str, home: Path) -> str:
    """What sshd does for a user with this shell and this home; a shell within another reads no rc
    file, which the level of nesting would tell it."""
    return f'cd {home}; exec env -u SHLVL HOME={home} {shell} -c "$SSH_ORIGINAL_COMMAND"'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def works(spec: SshSpec, python: str, tmp_path: Path) -> None:
    """Probe, a transfer of every byte, and a program that says how it ended."""
    transport = SshTransport(spec, python)
    for data in (bytes(range(256)) * 41, b"raise SystemExit(7)"):
        (tmp_path / "file").write_bytes(data)
        sha = hashlib.sha256(data).hexdigest()
        transport.stage(tmp_path / "file", sha)
        assert (Path(spec.folder) / "blobs" / sha).read_bytes() == data
    pipe = transport.spawn(sha)
    assert pipe.reader.read(60) == {"ended": 7}
    pipe.close()
    transport.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_will_do(shell: str, login: Login, home: Path, tmp_path: Path) -> None:
    works(login(as_login(having(shell), home)), sys.executable, tmp_path)


@pytest.mark.parametrize(
    ("shell", "rc", "lines", "said"),
    [
        ("bash", ".bashrc", "exec zsh", ""),
        ("bash", ".bashrc", "exec fish", ""),
        ("bash", ".bashrc", "printf 'Which ROS? '; read answer", "it printed Which ROS?"),
        ("zsh", ".zshenv", "read answer", ""),
        ("tcsh", ".cshrc", "set answer = $<", ""),
    ],
)
def test_an_rc_file_in_the_way_is_told_once_and_soon(
    shell: str, rc: str, lines: str, said: str, login: Login, home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    having(lines.removeprefix("exec ") if lines.startswith("exec") else shell)
    monkeypatch.setattr(profiler.transport.ssh.transport, "START_S", 1.5)
    (home / rc).write_text(f"{lines}\n")
    spec = login(as_login(having(shell), home))
    notes: list[str] = []
    with pytest.raises(ssh_errors.ShellSilent, match="an rc file gets in the way") as caught:
        Session(SshTransport(spec, sys.executable), note=notes.append).__enter__()
    assert spec.host in caught.value.message
    assert said in caught.value.message
    assert ssh_errors.RETURN in (caught.value.hint or "")
    assert notes == [], "it isn't tried again"


def test_what_is_to_be_typed_helps(login: Login, home: Path) -> None:
    (home / ".bashrc").write_text(f"{ssh_errors.RETURN}\nexec sleep 1000\n")
    transport = SshTransport(login(as_login("bash", home)), sys.executable)
    assert transport.probe()["python"]
    transport.close()


def test_a_limit_of_20_s() -> None:
    assert (
        profiler.transport.ssh.line.CONNECT_TIMEOUT_S
        <= profiler.transport.ssh.transport.START_S
        < 20
    )


@pytest.mark.parametrize(
    ("command", "says", "hint"),
    [
        ("/usr/sbin/nologin", "This account is currently not available", "chsh -s /bin/sh"),
        ("echo backups only; exit 3", "status 3: backups only", "forced command"),
        ("internal-sftp", "This service allows sftp connections only", "transfer files only"),
        ("exit 0", "status 0: without a word", "`exit`"),
        ("echo 'cowsay: not found' >&2; exit 127", "cowsay: not found", "rc files"),
    ],
)
def test_what_the_device_says_is_shown(command: str, says: str, hint: str, login: Login) -> None:
    if command.startswith("/") and not os.access(command, os.X_OK):
        pytest.skip(f"needs {command}")
    with pytest.raises(ssh_errors.ShellEnded, match=says) as caught:
        Session(SshTransport(login(command)), backoff_s=()).__enter__()
    assert hint in (caught.value.hint or "")
    assert says.split(": ")[-1] not in (caught.value.kept or says), "records hold no words of it"


def test_an_rc_file_that_exits(login: Login, home: Path) -> None:
    (home / ".bashrc").write_text("exit 0\n")
    transport = SshTransport(login(as_login("bash", home)))
    with pytest.raises(ssh_errors.ShellEnded, match="status 0: without a word"):
        transport.probe()
    transport.close()


@pytest.fixture
def dropbear(sshd, tmp_path: Path) -> Iterator[SshSpec]:  # type: ignore[no-untyped-def]
    """A router's server and shell: dropbear, and busybox for the user of this test, in private
    mounts. It knows keys of home folders only."""
    if not os.access(SYSTEM_PYTHON, os.X_OK):
        pytest.skip(f"needs {SYSTEM_PYTHON}: others may lie in the hidden home folder")
    if os.getuid() != 0 or not all(map(shutil.which, ("dropbear", "busybox", "unshare"))):
        pytest.skip("needs root, dropbear and busybox: sudo scripts/setup_devices")
    folder, home = tmp_path / "dropbear", Path.home()
    (folder / "home" / ".ssh").mkdir(parents=True, mode=0o700)
    (folder / "home" / ".ssh" / "authorized_keys").write_bytes(
        (sshd.folder / "key.pub").read_bytes()
    )
    shell = folder / "ash"
    shell.write_text('#!/bin/busybox ash\nexec busybox ash "$@"\n')
    shell.chmod(0o755)
    (folder / "passwd").write_text(f"root:x:0:0:root:{home}:{shell}\n")
    (folder / "shells").write_text(f"{shell}\n")
    made = subprocess.run(["dropbearkey", "-t", "ed25519", "-f", folder / "host"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    public = next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"UserKnownHostsFile {folder}/known\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
    )
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(public.split()[:2])}\n")
    mounts = f"mount --bind {folder}/passwd /etc/passwd; mount --bind {folder}/shells /etc/shells"
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
         f"{mounts}; mount --bind {folder}/home {home}\n"
         f"exec dropbear -F -E -r {folder}/host -p 127.0.0.1:{port} -P {folder}/pid"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    if process.poll() is not None:
        pytest.skip("dropbear does not start here")
    yield replace(sshd.spec, port=port, config_file=str(folder / "config"),
                  folder=str(tmp_path / "device"))  # fmt: skip
    process.terminate()
    process.wait()


def test_dropbear_and_busybox(dropbear: SshSpec, tmp_path: Path) -> None:
    works(dropbear, SYSTEM_PYTHON, tmp_path)
