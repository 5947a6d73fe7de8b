"""What a machine is called in tables and figures, and what confirms a choice."""

from types import SimpleNamespace
from typing import Any

from profiler.analysis.choice.choose import Choice
from profiler.report.brief import confirmation_text, describe
from profiler.schema.device.target import Gpu, Target

CARDS = [
    {"index": 0, "uuid": "GPU-a", "name": "NVIDIA A2"},
    {"index": 1, "uuid": "GPU-0a1b2c3d-0000-1111-2222-333344445555", "name": "NVIDIA H100"},
]
FACTS = {"cpu": "AMD EPYC", "gpus": CARDS, "cpu_flags": []}


def test_a_target_that_uses_a_gpu_is_named_after_it() -> None:
    for select in ("1", "GPU-0a1b2c3d-0000-1111-2222-333344445555"):
        target = Target(
            name="cuda", transport="local", provider="CUDAExecutionProvider",
            gpu=Gpu(select=select),
        )  # fmt: skip
        assert describe("cuda", FACTS, target)["machine"] == "NVIDIA H100, AMD EPYC"


def test_a_gpu_that_is_not_used_is_not_named() -> None:
    target = Target(name="cpu", transport="local")
    assert describe("cpu", FACTS, target)["machine"] == "AMD EPYC"
    assert describe("cpu", {**FACTS, "gpus": None}, None)["machine"] == "AMD EPYC"
    assert describe("cpu", {"cpu_flags": []}, None)["machine"] == "not available"


def test_confirmation_rows_without_labels_tell_agreement() -> None:
    known: Any = SimpleNamespace(
        confirmed=lambda trial: {"agreement": 0.9}, confirmation=SimpleNamespace(numbers=[1, 2])
    )
    told = confirmation_text(known, Choice(trial="a", reason="best"))
    assert told == "On 2 confirmation rows, unseen by the choice: agreement 90.0 %."
