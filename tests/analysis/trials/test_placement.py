"""Placement and output differences as the table and its warnings say them."""

import numpy as np
import pytest

from profiler.analysis.trials.placement import (
    operators,
    output_errors,
    relative_rms,
    summarise,
    warnings,
)
from profiler.schema.record.plan import Trial
from profiler.wire.messages import Placement

CUDA = "CUDAExecutionProvider"


def trial(target: str = "gpu", provider: str = CUDA, threads: int = 1, variant: str = "fp32"):
    return Trial(
        id=f"m/{variant}@{target}/t{threads}", model="m", variant=variant, recipe=variant,
        target=target, provider=provider, threads=threads, scenario="single_stream", batch=1,
        baseline="",
    )  # fmt: skip


def test_whole_partial_and_unknown() -> None:
    whole, part = Placement(nodes=4, on_provider=4), Placement(
        nodes=4, on_provider=3, elsewhere={"NonZero": 1}
    )  # fmt: skip
    assert summarise(trial(), [whole, whole]) == {"placed": 1.0, "placed_note": None}
    worst = summarise(trial(), [whole, part])
    assert worst["placed"] == 0.75, "the lowest of the repetitions"
    assert worst["placed_note"] == f"1 of 4 nodes not on {CUDA}: NonZero ×1"
    unknown = summarise(trial(), [whole, None])
    assert unknown["placed"] is None
    assert "unknown" in unknown["placed_note"]
    cpu = trial(provider="CPUExecutionProvider")
    assert summarise(cpu, [None]) == {"placed": None, "placed_note": None}
    assert summarise(trial(provider="null"), [None])["placed_note"] is None


def test_long_lists_of_operators_are_cut() -> None:
    counts = {"A": 5, "B": 4, "C": 3, "D": 2, "E": 1, "F": 1}
    assert operators(counts) == "A ×5, B ×4, C ×3, D ×2 and 2 more kinds"
    assert operators({"A": 1}) == "A ×1"


def test_outputs_are_compared_with_the_same_variant_on_the_first_target() -> None:
    known = {t.id: t for t in (
        trial("cpu", threads=1), trial("cpu", threads=2), trial("gpu", threads=2),
        trial("gpu", variant="int8"),
    )}  # fmt: skip
    ones = np.ones((5, 2), np.float32)
    outputs = {
        "m/fp32@cpu/t1": 9 * ones, "m/fp32@cpu/t2": ones,
        "m/fp32@gpu/t2": 1.01 * ones, "m/int8@gpu/t1": ones,
    }  # fmt: skip
    found = output_errors(outputs, known, "cpu")
    assert found.keys() == {"m/fp32@gpu/t2"}, "no int8 on the first target"
    assert found["m/fp32@gpu/t2"]["output_error"] == pytest.approx(0.01, rel=1e-3)


def test_relative_rms_of_what_has_none() -> None:
    assert relative_rms(np.ones(3), np.ones(4)) is None
    assert relative_rms(np.ones(3), np.zeros(3)) is None
    assert relative_rms(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == 0


def test_warnings_are_one_line_a_target() -> None:
    def row(**more: object) -> dict[str, object]:
        return {"status": "ok", "target": "gpu", "provider": CUDA, "trial": "a", "placed": 1.0,
                "placed_note": None, "output_error": None, **more}  # fmt: skip

    assert warnings([row(), row(status="failed", placed_note="x")], "cpu") == []
    said = warnings(
        [row(), row(placed=0.5, placed_note="half"), row(trial="b", placed=0.2, placed_note="low")],
        "cpu",
    )
    assert len(said) == 1
    assert "2 of 3 trials" in said[0]
    assert "b: low" in said[0]
    off = warnings([row(output_error=0.004), row(output_error=1e-6)], "cpu")
    assert len(off) == 1
    assert "0.4 % relative RMS" in off[0]
