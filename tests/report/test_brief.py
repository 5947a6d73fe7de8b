"""What a machine is called in tables and figures."""

from profiler.report.brief import describe
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
