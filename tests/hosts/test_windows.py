"""On Windows one line says what would work, before anything is imported that is not there."""

import subprocess
import sys

PRETEND = """
import sys
sys.platform = "win32"
for name in ("fcntl", "resource", "pwd", "termios", "typer", "numpy", "onnx"):
    sys.modules[name] = None
"""


def on_windows(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRETEND + code], capture_output=True, text=True, timeout=60
    )


def test_the_program_says_in_one_line_what_would_work() -> None:
    done = on_windows('sys.argv = ["profiler", "--help"]\nfrom profiler.cli import main\nmain()')
    assert done.returncode == 2
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: profiler needs Linux, macOS or WSL")
    assert "wsl --install" in hint


def test_so_does_an_import_of_its_functions() -> None:
    done = on_windows("from profiler import run")
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: profiler needs Linux, macOS or WSL"
    )
