"""A synthetic frame shaped like the digits demo: 18 measured trials, one failed, one excluded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from profiler.report.model.contents import ReportInput

NAN = math.nan
# model -> (p50 of fp32 with one thread in µs, accuracy, file size in bytes)
MODELS = {
    "mlp": (21.4, 0.9567, 310_000),
    "convnet": (142.0, 0.9822, 460_000),
    "attention": (388.0, 0.9744, 820_000),
    "linear": (6.1, 0.9289, 5_400),
}
# variant -> (latency factor, accuracy loss, size factor)
VARIANTS = {
    "fp32": (1.0, 0.0, 1.0),
    "int8-dynamic": (0.78, 0.0012, 0.29),
    "int8-static": (0.61, 0.0056, 0.28),
}


def _trial(n: int, model: str, variant: str, threads: int, **changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(n)
    base_us, accuracy, size = MODELS[model]
    factor, drop, shrink = VARIANTS[variant]
    if model == "attention" and variant == "int8-dynamic":
        factor = 1.06  # quantizing small matrices can cost more than it saves
    if model == "mlp" and variant == "int8-dynamic":
        factor = 1.001
    speedup = 1.0 if threads == 1 else {"mlp": 1.12, "linear": 1.0}.get(model, 0.66)
    p50 = base_us * 1000 * factor * speedup * float(random.uniform(0.99, 1.01))
    half = float(random.uniform(0.003, 0.012))
    baseline = variant == "fp32"
    ratio_half = 0.006
    verdict = "faster" if factor < 0.98 else "slower" if factor > 1.02 else "equivalent"
    row = {
        "trial": f"{model}.{variant}.t{threads}",
        "model": model,
        "variant": variant,
        "recipe": variant,
        "is_baseline": baseline,
        "target": "local-cpu",
        "provider": "CPUExecutionProvider",
        "threads": threads,
        "scenario": "single_stream",
        "batch": 1,
        "status": "ok",
        "reason": "",
        "rounds": 8,
        "queries": 24_310,
        "p50_ns": p50,
        "p50_low_ns": p50 * (1 - half),
        "p50_high_ns": p50 * (1 + half),
        "p90_ns": p50 * 1.04,
        "p90_low_ns": p50 * 1.03,
        "p90_high_ns": p50 * 1.06,
        "p99_ns": p50 * 1.31,
        "p99_low_ns": p50 * 1.2,
        "p99_high_ns": p50 * 1.5,
        "p99_note": None,
        "throughput": 1e9 / p50,
        "throughput_low": 0.99e9 / p50,
        "throughput_high": 1.01e9 / p50,
        "load_ns": 4.1e6,
        "first_query_ns": p50 * 9,
        "memory_peak_bytes": 62_400_000 + size * 3,
        "memory_loaded_bytes": 60_100_000 + size * 2,
        "memory_imports_bytes": 58_700_000,
        "file_bytes": size * shrink,
        "ratio": NAN if baseline else factor,
        "ratio_low": NAN if baseline else factor - ratio_half,
        "ratio_high": NAN if baseline else factor + ratio_half,
        "verdict": None if baseline else verdict,
        "rounds_needed": NAN,
        "accuracy": accuracy - drop,
        "accuracy_low": accuracy - drop - 0.0131,
        "accuracy_high": accuracy - drop + 0.0102,
        "drop": NAN if baseline else drop,
        "drop_low": NAN if baseline else drop - 0.004,
        "drop_high": NAN if baseline else drop + 0.006,
        "quality": None if baseline else "non-inferior" if drop < 0.004 else "undecided",
        "quality_n_needed": NAN if baseline or drop < 0.004 else 2140.0,
        "flips": 0 if baseline else 3,
        "agreement": 1.0 if baseline else 0.9967,
        "cost_per_million": NAN,
        "currency": None,
        "cost_note": None,
        "price": None,
        "slo": "met",
        "frontier": False,
        "dominated_by": None,
        "chosen": False,
        "noise": None,
    }
    return row | changes


def build_frame() -> pd.DataFrame:
    """20 trials: 18 measured with every awkward case among them, one failed, one excluded."""
    rows = []
    for model in ("mlp", "convnet", "attention"):
        for variant in VARIANTS:
            for threads in (1, 2):
                rows.append(_trial(len(rows), model, variant, threads))
    rows.append(_trial(18, "linear", "fp32", 1))
    rows.append(_trial(19, "linear", "fp32", 2))
    by_name = {row["trial"]: row for row in rows}
    by_name["attention.int8-static.t1"] |= {
        "status": "failed",
        "reason": "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find "
        "an implementation for DynamicQuantizeMatMul(1) node with name 'attention/qkv'",
    }
    by_name["linear.fp32.t2"] |= {
        "status": "excluded",
        "reason": "linear has one operator: threads change nothing",
    }
    for name in ("attention.int8-static.t1", "linear.fp32.t2"):
        numbers = [key for key, v in by_name[name].items() if isinstance(v, float)]
        by_name[name] |= dict.fromkeys(numbers, NAN) | {
            "slo": None,
            "verdict": None,
            "quality": None,
        }
    by_name["mlp.int8-static.t2"] |= {
        "p50_low_ns": NAN,
        "p50_high_ns": NAN,
        "p99_ns": NAN,
        "p99_low_ns": NAN,
        "p99_high_ns": NAN,
        "p99_note": "n too small",
    }
    by_name["mlp.int8-static.t1"] |= {"noise": "busy neighbour"}
    by_name["convnet.int8-dynamic.t2"] |= {
        "verdict": "undecided",
        "rounds_needed": 33.6,
        "ratio": 0.99,
        "ratio_low": 0.96,
        "ratio_high": 1.02,
    }
    _mark_frontier(rows)
    by_name["convnet.int8-static.t2"]["chosen"] = True
    return pd.DataFrame(rows)


def _mark_frontier(rows: list[dict[str, Any]]) -> None:
    good = [row for row in rows if row["status"] == "ok"]
    for row in good:
        better = [
            other
            for other in good
            if other["p50_ns"] < row["p50_ns"] and other["accuracy"] >= row["accuracy"]
        ]
        row["frontier"] = not better
        row["dominated_by"] = better[0]["trial"] if better else None


def build_report(frame: pd.DataFrame | None = None, **changes: Any) -> ReportInput:
    """A report on the synthetic frame; `changes` replace its fields."""
    frame = build_frame() if frame is None else frame
    artifacts = tuple(
        {
            "model": model,
            "variant": variant,
            "sha": f"{i:02d}3f9a61c07be2d4" * 4,
            "bytes": int(size * shrink),
            "made_by": {"recipe": variant, "onnxruntime": "1.23.2", "calibration rows": "128"},
            "parity": "max |Δ| 4.8e-07 on 16 rows (tolerance 1e-05)" if variant == "fp32" else "",
        }
        for i, (model, (_, _, size)) in enumerate(MODELS.items())
        for variant, (_, _, shrink) in VARIANTS.items()
        if model != "linear" or variant == "fp32"
    )
    fields: dict[str, Any] = {
        "frame": frame,
        "study_name": "digits",
        "created": "2026-01-15T10:24:00+00:00",
        "targets": (
            {
                "target": "local-cpu",
                "machine": "AMD EPYC 7763 (2 of 64 cores)",
                "governor": "performance",
                "memory": "8.3 GB",
                "kernel": "Linux 6.8.0",
                "onnxruntime": "1.23.2",
                "python": "3.11.7",
            },
        ),
        "artifacts": artifacts,
        "choice": "convnet int8-static with 2 threads: the most accurate variant below 100 µs; "
        "p50 57.2 µs (95 % interval 56.8–57.6), accuracy 97.7 % (96.4–98.7).",
        "runners_up": (
            "mlp fp32, 1 thread: 2.7 times as fast, but 2.0 points less accurate",
            "convnet fp32, 2 threads: 0.6 points more accurate, misses p50 ≤ 70 µs",
        ),
        "settings": {
            "rounds": "4 to 20 fresh processes",
            "precision": "1 %",
            "seed": 0,
            "order": "blocks of 20 ms, interleaved, shuffled with the seed",
        },
        "warnings": ("the target declares governor 'performance', found 'schedutil'",),
        "limits": {"p50": 70_000.0},
    }
    return ReportInput(**(fields | changes))


@pytest.fixture
def frame() -> pd.DataFrame:
    return build_frame()


@pytest.fixture
def report() -> ReportInput:
    return build_report()


@pytest.fixture
def make_report() -> Callable[..., ReportInput]:
    """`build_report`: tests can't import a conftest."""
    return build_report


@pytest.fixture
def unlabelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The same study without labelled data."""
    columns = ["accuracy", "drop"]
    numbers = [f"{column}{end}" for column in columns for end in ("", "_low", "_high")]
    return frame.assign(**dict.fromkeys(numbers, NAN), quality=None)


@pytest.fixture(scope="session")
def build() -> Callable[..., ReportInput]:
    """`build_report`, for fixtures that outlive a test."""
    return build_report
