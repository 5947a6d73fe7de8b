"""scripts/gpu_check where there is no GPU, and its judgement."""

import argparse
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from profiler.transport.environment import nvidia_driver

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_check"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, with its folder importable, as when it is started."""
    monkeypatch.setattr(sys, "path", [str(SCRIPT.parent), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("gpu_check", str(SCRIPT))
    module = module_from_spec(spec_from_loader("gpu_check", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


@pytest.mark.skipif(nvidia_driver(), reason="this machine has a GPU: run scripts/gpu_check")
def test_without_a_gpu_it_says_so_and_exits_3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    assert "no NVIDIA GPU here" in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_a_python_without_the_packages_goes_on_in_the_environment(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(
        script.subprocess, "run",
        lambda command, check: started.append(command[0].name) or argparse.Namespace(returncode=0),
    )  # fmt: skip
    monkeypatch.setattr(os, "execv", lambda python, command: started.append(python))
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    script.elsewhere(["torch"])
    assert started == ["setup", script.ROOT / ".venv" / "bin" / "python"]


def test_what_is_missing_after_the_setup_is_said_once(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "prefix", str(script.ROOT / ".venv"))
    assert script.elsewhere(["torch", "onnx"]) == 2
    assert "not installed: torch, onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"output_error": 1e-3}, None),
        ({"output_error": 1e-2}, "outputs differ by 0.01"),
        ({"output_error": None}, "outputs differ by"),
        ({"output_error": float("nan")}, "outputs differ by nan"),
        ({"status": "failed", "reason": "no such kernel"}, "no such kernel"),
        ({"target": "local-cpu", "output_error": None}, None),
    ],
)
def test_a_gpu_row_must_have_run_with_the_cpu_s_outputs(
    script: Any, row: dict[str, Any], problem: str | None, tmp_path: Path
) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("torch")
    options = argparse.Namespace(
        rehearse=True, output=tmp_path, budget="1s", only=["demo"], batch=None
    )
    check = script.Check(options, "a card")
    base = {"target": "cuda", "status": "ok", "variant": "fp32", "trial": "m/fp32", "reason": None}
    check.judge(pd.DataFrame([{**base, **row}], dtype=object), "demo")
    assert len(check.problems) == (problem is not None)
    assert problem is None or problem in check.problems[0]


@pytest.mark.parametrize(
    ("family", "batches", "kind"),
    [("resnet50", (1, 8), "offline"), ("bert", (1,), "single_stream")],
)
def test_the_studies_it_writes_can_be_read(
    family: str, batches: tuple[int, ...], kind: str, script: Any, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    import random_models

    from profiler import Study

    path = random_models.write_study(
        tmp_path, family, targets=["local-cpu"], variants=["fp32", "fp16"], batches=batches,
        budget="5s", count=10, side=32, tiny=True,
    )  # fmt: skip
    study = Study.read(path)
    assert (study.scenarios[0].kind, study.scenarios[0].batch) == (kind, batches)
    assert [v.name for v in study.variants_of(study.models[0])] == ["fp32", "fp16"]
