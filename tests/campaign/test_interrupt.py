"""Ctrl-C while targets are being connected: nothing goes on, and the folder can be gone on with."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import Study, run
from profiler.errors import Interrupted

SLOW_INSTALLER = """#!/bin/sh
# A stand-in for uv: while {state} is a folder, it starts something that takes forever.
if [ -d {state} ]; then sleep 1000 & echo $! >{state}/pid; wait; fi
if [ "$1" = venv ]; then
    for folder in "$@"; do :; done
    mkdir -p "$folder/bin"
    printf '#!/bin/sh\\nexec {python} "$@"\\n' >"$folder/bin/python"
    chmod +x "$folder/bin/python"
fi
"""
TARGETS = {
    "installs": 'provider = "CPUExecutionProvider"\n[runtime]\npackages = ["onnxruntime"]\n',
    "hangs": 'transport = "ssh"\n[ssh]\nhost = "device"\n',
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: Callable[..., None]) -> Path:
    """Both ways to wait forever: an installer, and an ssh that says nothing."""
    state, programs = tmp_path / "state", tmp_path / "bin"
    state.mkdir()
    programs.mkdir()
    text = SLOW_INSTALLER.format(state=state, python=sys.executable)
    (programs / "uv").write_text(text)
    (programs / "uv").chmod(0o755)
    stub("hang", STUB_STATE=str(state / "pid"))
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("UV_INDEX", "http://127.0.0.1:9")  # uv was told: it is asked, not pip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "targets").mkdir()
    for name, lines in TARGETS.items():
        (tmp_path / "targets" / f"{name}.toml").write_text(lines)
    return state


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def press_ctrl_c(note: Path, found: list[int]) -> None:
    """As soon as somebody waits forever."""
    deadline_s = time.monotonic() + 60
    while not (note.exists() and note.read_text().strip()) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    found.append(int(note.read_text()))
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("variants", ['["fp32"]', '["fp32", "auto"]'])
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_goes_on_after_ctrl_c(
    make_study: Callable[..., Path], tmp_path: Path, state: Path, target: str, variants: str
) -> None:
    study = Study.read(make_study(f"variants = {variants}", targets=f'["{target}", "local-cpu"]'))
    found: list[int] = []
    presser = threading.Thread(target=press_ctrl_c, args=(state / "pid", found))
    presser.start()
    with pytest.raises(Interrupted, match="everything measured so far is kept"):
        run(study, tmp_path / "out")
    ended_s = time.monotonic()
    presser.join()
    while alive(found[0]) and time.monotonic() < ended_s + 5:
        time.sleep(0.01)
    assert not alive(found[0])
    assert not [t for t in threading.enumerate() if t.name.startswith("target")]
    assert not list((tmp_path / "cache").rglob(".building-*"))


def test_the_same_command_goes_on_after_ctrl_c(
    make_study: Callable[..., Path], tmp_path: Path, state: Path
) -> None:
    study = Study.read(make_study(targets='["installs"]'))
    presser = threading.Thread(target=press_ctrl_c, args=(state / "pid", []))
    presser.start()
    with pytest.raises(Interrupted):
        run(study, tmp_path / "out")
    presser.join()
    state.rename(tmp_path / "installer is well")
    assert run(study, tmp_path / "out").complete
