"""What the benchmarks in this folder share: models of known work, a busy neighbour, bounds."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BUSY = """
import random, sys, time
r = random.Random(int(sys.argv[1]))
while True:
    end = time.monotonic() + r.uniform(0.05, 0.5)
    while time.monotonic() < end: pass
    time.sleep(r.uniform(0.05, 0.5))
"""


def write_chain(path: Path, width: int = 512, layers: int = 4, shared: bool = False) -> None:
    """`layers` matrix products of `width` by `width` with a Relu each; input x, output y.

    With `shared` all layers use one weight, so that another layer adds work but no memory.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)

    def weight(name: str) -> onnx.TensorProto:
        values = generator.standard_normal((width, width)) * (2 / width) ** 0.5
        return numpy_helper.from_array(values.astype(np.float32), name)

    weights = [weight(f"w{i}") for i in range(1 if shared else layers)]
    nodes, last = [], "x"
    for i in range(layers):
        name = "y" if i == layers - 1 else f"r{i}"
        nodes.append(helper.make_node("MatMul", [last, f"w{0 if shared else i}"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu", [f"m{i}"], [name]))
        last = name
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", width])],
        weights,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


@contextlib.contextmanager
def neighbour(wanted: bool, seed: int) -> Iterator[None]:
    """A process that is busy at random times on whatever core it gets."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(seed)])
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def upper_bound(count: int, total: int) -> float:
    """Clopper-Pearson one-sided 95 % bound of a rate."""
    from scipy.stats import beta

    return 1.0 if count == total else float(beta.ppf(0.95, count + 1, total - count))
