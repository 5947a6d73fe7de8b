"""The fuzzers in small, and that they see what they look for."""

import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest

from profiler.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import fuzzing

SCRIPTS = Path(fuzzing.__file__).parent


def _fails(random_: random.Random, folder: Path) -> None:
    (folder / "made").write_text("here")
    raise KeyError("missing")


def _sleeps(random_: random.Random, folder: Path) -> None:
    time.sleep(60)


def _computes(random_: random.Random, folder: Path) -> None:
    while True:
        pass


def _dies(random_: random.Random, folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _shouts(random_: random.Random, folder: Path) -> None:
    raise InputError("one line\nanother")


def _says(random_: random.Random, folder: Path) -> None:
    raise InputError(f"refused: {random_.random()}")


def test_every_way_to_go_wrong_is_counted() -> None:
    kinds = {"fails": _fails, "sleeps": _sleeps, "computes": _computes, "dies": _dies,
             "shouts": _shouts, "says": _says}  # fmt: skip
    table = fuzzing.sweep(kinds, 12, seed=1, jobs=2, limit_s=1)
    found = {kind: dict(counts) for kind, counts in table.counts.items()}
    assert found == {"fails": {"traceback": 2}, "sleeps": {"hang": 2},
                     "computes": {"hang": 2}, "dies": {"crash": 2}, "shouts": {"untidy": 2},
                     "says": {"refused": 2}}  # fmt: skip
    assert "--only dies:0" in table.show()
    seen = {what.partition(":")[0] for what in table.bad}
    assert seen == {"traceback", "hang", "crash", "untidy"}


@pytest.mark.parametrize(
    ("script", "count"),
    [("fuzz_inputs", 105), ("fuzz_device", 12), ("fuzz_models", 60), ("fuzz_results", 24)],
)
def test_nothing_ends_in_a_traceback(
    script: str, count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(SCRIPTS / script))["main"]
    monkeypatch.setattr(sys, "argv", [script, "--count", str(count), "--seed", "8"])
    code = main()
    said = capsys.readouterr().out
    assert code == 0, said
    assert f"{count} inputs of seed 8" in said
