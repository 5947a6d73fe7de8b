"""The study that inject_faults disturbs, and what of it must not depend on any fault."""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

MODEL_BYTES = 1_000_000


def make_study(
    folder: Path, target: dict[str, Any], rounds: int, model_bytes: int = MODEL_BYTES
) -> Path:
    """A model of so many bytes, rows and labels, one target called `device`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(7)
    width = model_bytes // 4 // 512
    weights = [generator.standard_normal((width, 512)), generator.standard_normal((512, 5))]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w0"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
         helper.make_node("MatMul", ["r", "w1"], ["scores"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(w.astype(np.float32), f"w{i}") for i, w in enumerate(weights)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    rows = generator.standard_normal((64, width)).astype(np.float32)
    np.savez(folder / "rows.npz", x=rows, labels=generator.integers(0, 5, 64))
    (folder / "targets").mkdir()
    ssh = "".join(f"{key} = {json.dumps(value)}\n" for key, value in target.items())
    (folder / "targets" / "device.toml").write_text(
        f'transport = "ssh"\npython = "{sys.executable}"\n[ssh]\n{ssh}'
    )
    (folder / "study.toml").write_text(
        'name = "faults"\ntargets = ["device"]\nthreads = [1]\nvariants = ["fp32"]\n'
        '[[models]]\nname = "m"\nonnx = "model.onnx"\n'
        '[data]\nfile = "rows.npz"\nlabels = "labels"\ncalibration_rows = 8\n'
        '[measure]\nbudget = "3600s"\nprecision = "0.0001%"\nround_time = "40ms"\n'
        f'block_time = "5ms"\nmin_rounds = {rounds}\nmax_rounds = {rounds}\n'
    )
    return folder / "study.toml"


def content(out: Path) -> list[tuple[Any, ...]]:
    """What must not depend on faults, for each repetition: all but times."""
    import pyarrow.parquet as pq

    found = []
    for line in (out / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["kind"] != "round":
            continue
        raw = pq.read_table(out / row["raw"]).to_pandas()
        for r in row["repetitions"]:
            queries = sum(block["queries"] for block in r["blocks"])
            kept = int((raw["trial"] == r["trial"]).sum())
            outputs = {n: (out / "outputs" / f"{s}.npy").exists() for n, s in r["outputs"].items()}
            found.append(
                (r["trial"], r["round"], r["status"], row["seed"], row["artifacts"][r["trial"]],
                 tuple(sorted(r["outputs"].items())), all(outputs.values()),
                 queries == kept > 0, tuple(r["providers"]))
            )  # fmt: skip
    return sorted(found)


def left_over(device: Path) -> list[int]:
    """Processes that still work on our device's folder, after those that end by themselves."""
    end = time.monotonic() + 15
    while True:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(device).encode() in words and (b"serve" in words or b"runner" in words):
                    found.append(int(entry.name))
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.2)


def compare(wanted: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> str:
    lost, more = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    return f"{lost.total()} lost or different, {more.total()} too many; e.g. {[*lost, *more][:2]}"
