"""PyTorch beside ONNX Runtime in one table, through the real worker."""

from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import Study, run
from profiler.planning import Known, make_plan
from profiler.schema.device.target import Target
from profiler.wire.codec import DecodeError, decode

pytestmark = pytest.mark.usefixtures("one_round")

SOURCE = """
import torch

class Twin(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(16, 3)

    def forward(self, x):
        return self.inner(x), self.inner(x).softmax(1)

def twin():
    return Twin()
"""
MODELS = '[[models]]\nname = "m"\ntorch = "twins:twin"\n'


@pytest.fixture
def study(make_study: Callable[..., Path], tmp_path: Path) -> Callable[..., Study]:
    def make(targets: str, variants: str = '["fp32"]') -> Study:
        (tmp_path / "twins.py").write_text(SOURCE)
        return Study.read(make_study(f"variants = {variants}\n{MODELS}", targets=targets))

    return make


def test_torch_is_measured_beside_onnxruntime(study: Callable[..., Study], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    table = run(study('["local-cpu", "torch-cpu"]'), tmp_path / "out").table().set_index("target")
    assert list(table["status"]) == ["ok", "ok"], list(table["reason"])
    row = table.loc["torch-cpu"]
    assert row["providers"] == "torch-eager"
    assert row["output_error"] < 1e-5, "the same weights: the same seed before the same callable"
    assert row["accuracy"] == table.loc["local-cpu", "accuracy"]
    assert row["placed_note"] is None
    assert row.isna()["file_bytes"], "torch loads no file"


def planned(wanted: Study, facts: dict[str, object]) -> dict[str, str]:
    target = Target(name="torch-cpu", backend="torch", provider="torch-eager")
    plan = make_plan(wanted, (target,), Known(facts={"torch-cpu": facts}))
    return {e.trial.variant: f"{e.reason} ({e.hint})" for e in plan.exclusions}


def test_what_torch_can_not_run_says_why(
    study: Callable[..., Study], make_study: Callable[..., Path]
) -> None:
    both = study('["torch-cpu"]', '["fp32", "int8-dynamic"]')
    found = planned(both, {"torch": "2.13.0"})
    assert found.keys() == {"int8-dynamic"}
    assert "as an ONNX file only" in found["int8-dynamic"]
    assert "pip install 'hardware-profiler[torch]'" in planned(both, {"torch": None})["fp32"]
    onnx = Study.read(make_study('variants = ["fp32"]\n', targets='["torch-cpu"]'))
    assert "an ONNX file" in planned(onnx, {"torch": "2.13.0"})["fp32"]


def test_a_torch_target_names_how_it_runs() -> None:
    with pytest.raises(DecodeError, match="torch-eager, torch-compile"):
        decode(Target, {"name": "t", "backend": "torch"})
