"""A real sshd on loopback, with its own keys and configuration, as an ordinary process."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from profiler.schema.device.ssh import SshSpec
from profiler.transport.environment import _Maker
from profiler.transport.ssh.transport import OLDEST_PYTHON

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")


@dataclass
class Daemon:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def spec(self) -> SshSpec:
        """How to reach it; every test gets a folder of its own on the 'device'."""
        return SshSpec(
            host="127.0.0.1",
            user=pwd.getpwuid(os.getuid()).pw_name,
            port=self.port,
            identity_file=str(self.folder / "key"),
            config_file=str(self.folder / "config"),
            folder=str(self.folder / "device ü"),
        )

    def with_folder(self, folder: Path) -> SshSpec:
        return replace(self.spec, folder=str(folder))


def _key(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True
    )


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client and server: sudo scripts/setup_devices")
    folder = tmp_path_factory.mktemp("sshd")
    _key(folder / "key")
    _key(folder / "host")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "authorized").write_bytes((folder / "key.pub").read_bytes())
    host_key = (folder / "host.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n")
    (folder / "config").write_text(
        f"UserKnownHostsFile {folder}/known\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
    )
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/authorized {folder}/more\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nPidFile none\nPermitRootLogin prohibit-password\n"
    )
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", folder / "sshd_config"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr is not None
    said = b""
    while b"listening on" not in said:
        line = process.stderr.readline()
        if not line:
            pytest.skip(f"sshd does not start here: {said.decode()[-300:]}")
        said += line
    drain = threading.Thread(target=process.stderr.read, daemon=True)  # a full pipe would block it
    drain.start()
    yield Daemon(folder, port, process)
    process.terminate()
    process.wait()
    drain.join()
    process.stderr.close()


@pytest.fixture(scope="session")
def oldest_python() -> str:
    """A Python of the oldest version that a device may have."""
    name = "python{}.{}".format(*OLDEST_PYTHON)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for found in (shutil.which(name), *pyenv.glob(f"versions/*/bin/{name}")):
        # what is in the PATH may be pyenv's stand-in for one that is not chosen
        if (
            found
            and subprocess.run([found, "-c", "import ssl"], capture_output=True).returncode == 0
        ):
            return str(found)
    pytest.skip(f"needs {name} in the PATH, or from pyenv")


@pytest.fixture
def login(sshd: Daemon, tmp_path: Path) -> Iterator[Callable[[str], SshSpec]]:
    """login(command): a way in whose every session runs `command`, which may run what was asked:
    it stands in $SSH_ORIGINAL_COMMAND.
    """
    more = sshd.folder / "more"

    def make(command: str) -> SshSpec:
        key = tmp_path / f"key{len(list(tmp_path.glob('key*')))}"
        _key(key)
        quoted = command.replace('"', '\\"')
        with more.open("a") as file:
            file.write(f'command="{quoted}" {key.with_suffix(".pub").read_text()}')
        return replace(sshd.with_folder(tmp_path / "device"), identity_file=str(key))

    yield make
    more.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m venv` makes."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def quick_environments(empty_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of making an environment only the first step is short: a copy of the empty one."""
    run = _Maker._run

    def copy(self: _Maker, command: list[str]) -> subprocess.CompletedProcess[str]:
        if command[1:3] != ["-m", "venv"]:
            return run(self, command)
        shutil.copytree(empty_environment, command[-1], symlinks=True, dirs_exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(_Maker, "_run", copy)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """wheels(name, version, requires=None) writes a package; pip finds those and no others."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def make(name: str, version: str = "1.0", requires: str | None = None) -> None:
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{module}.py", f"VERSION = {version!r}\n")
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            )
            archive.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            archive.writestr(f"{info}/RECORD", "")

    return make


def _at_work(folder: str) -> list[str]:
    """Processes on this machine, the device included, that name a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


@pytest.fixture
def at_work() -> Callable[[str], list[str]]:
    return _at_work


@pytest.fixture
def ends() -> Callable[[str, float], None]:
    """Whatever names a folder ended: within 3 s here, and soon on the device."""

    def ends(folder: str, begun_s: float) -> None:
        took_s = time.monotonic() - begun_s
        assert took_s < 3, f"it went on for {took_s:.1f} s"
        while _at_work(folder) and time.monotonic() < begun_s + 10:
            time.sleep(0.05)
        assert _at_work(folder) == []

    return ends
