"""Ctrl-C in every phase of a run on a device: it ends within 3 s, and the device is left clean."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import profiler
from profiler.errors import Interrupted
from profiler.progress import Silent

ROOT = Path(__file__).resolve().parents[3]
SLOW = f"{sys.executable} {ROOT}/scripts/bad_link.py %h %p --mbit 1.6"
STILL_S = 30.0


class Press(threading.Thread):
    """Ctrl-C as soon as `reached` says so; `at_s` is when."""

    def __init__(self, reached: Callable[[], bool]) -> None:
        super().__init__()
        self.reached, self.at_s = reached, 0.0

    def run(self) -> None:
        until_s = time.monotonic() + STILL_S
        while not self.reached() and time.monotonic() < until_s:
            time.sleep(0.01)
        self.at_s = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)


class Told(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, text: str, done: float, left_s: float) -> None:
        self.texts.append(text)

    def lane(self, name: str) -> "Told":
        return self

    def has(self, words: str) -> bool:
        return any(words in text for text in self.texts)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A Python without numpy and onnxruntime."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    return str(tmp_path / "bare" / "bin" / "python")


@pytest.fixture
def study(
    sshd: Any, tmp_path: Path, make_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """study(python, way) -> a study of one target, reached by the ssh option `way`."""

    def make(python: str, way: str = "") -> Path:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        config = (sshd.folder / "config").read_text()
        (tmp_path / "config").write_text(config + (f"ProxyCommand {way}\n" if way else ""))
        spec = sshd.with_folder(tmp_path / "device")
        (tmp_path / "targets").mkdir(exist_ok=True)
        (tmp_path / "targets" / "board.toml").write_text(
            f'transport = "ssh"\npython = "{python}"\n[ssh]\nhost = "{spec.host}"\n'
            f'user = "{spec.user}"\nport = {spec.port}\nidentity_file = "{spec.identity_file}"\n'
            f'config_file = "{tmp_path}/config"\nfolder = "{spec.folder}"\n'
        )
        return make_study('variants = ["fp32"]\n', targets='["board"]')

    return make


@pytest.fixture
def stopped(
    tmp_path: Path, ends: Callable[[str, float], None]
) -> Callable[[Path, Callable[[], bool]], None]:
    """stopped(study, reached): run it, press Ctrl-C when that is reached, and look what is left."""

    def stopped(path: Path, reached: Callable[[], bool], told: Told | None = None) -> None:
        press = Press(reached)
        press.start()
        with pytest.raises(Interrupted, match="everything measured so far is kept"):
            profiler.run(path, tmp_path / "out", progress=told)
        press.join()
        ends(str(tmp_path / "device"), press.at_s)

    return stopped


def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, size: int) -> None:
    """Stand-ins for numpy and onnxruntime that are large, or many files."""
    from importlib import metadata

    folder = tmp_path / "wheels"
    folder.mkdir()
    for variable, value in (("NO_INDEX", "1"), ("FIND_LINKS", folder), ("CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(f"PIP_{variable}", str(value))
    monkeypatch.setattr("profiler.transport.ssh.wheels.PINNED", {})
    for name in ("numpy", "onnxruntime"):
        version = metadata.version(name)
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            words = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            archive.writestr(f"{info}/METADATA", words)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            for number in range(files):
                archive.writestr(f"{name}/{number}", os.urandom(size))


@pytest.fixture
def mute() -> Iterator[tuple[str, threading.Event]]:
    """(address of a server that takes a question and never answers, whether it was asked)."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return
                kept[-1].recv(1)
                asked.set()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple", asked
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()
    thread.join(5)


def test_while_packages_are_fetched(
    study: Any, stopped: Any, bare: str, mute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = mute
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    stopped(study(bare), asked.is_set)
    assert asked.is_set()


def test_while_packages_travel(
    study: Any, stopped: Any, bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(tmp_path, monkeypatch, 1, 8_000_000)
    told = Told()
    stopped(study(bare, SLOW), lambda: told.has("sending numpy and onnxruntime to board"), told)
    assert told.has("sending numpy and onnxruntime to board")
    assert not list((tmp_path / "device" / "packages").iterdir())


def test_while_packages_are_unpacked(
    study: Any, stopped: Any, bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(tmp_path, monkeypatch, 15_000, 100)
    seen: list[Path] = []

    def unpacking() -> bool:
        seen.extend((tmp_path / "device" / "packages").glob("*.part"))
        return bool(seen)

    stopped(study(bare), unpacking)
    assert seen
    left = [path for path in (tmp_path / "device" / "packages").iterdir() if path.name != "lock"]
    assert left == []


def test_while_the_link_is_dead(study: Any, stopped: Any) -> None:
    """In the middle of a round nothing passes any more, and nobody is told."""
    orders: list[socket.socket] = []
    vanish = "".join(json.dumps({"do": "vanish", "way": way, "after": 0, "for_s": 5}) + "\n"
                     for way in ("up", "down"))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/c")
        server.listen()
        threading.Thread(target=lambda: orders.append(server.accept()[0]), daemon=True).start()
        told = Told()

        def dead() -> bool:
            if not told.has("round 1"):
                return False
            orders[0].sendall(vanish.encode())
            orders[0].recv(1)
            return True

        link = f"{sys.executable} {ROOT}/scripts/bad_link.py %h %p --control {folder}/c"
        stopped(study(sys.executable, link), dead, told)
        assert told.has("round 1")
        orders[0].close()
