"""Providers that must be downloaded. They run where PROFILER_TEST_ENVIRONMENTS=1 is set."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from profiler import Study, run
from profiler.devices.session import Session
from profiler.schema.device.target_files import find_target
from profiler.transport import connect
from profiler.wire.messages import Job, Placement, RoundRequest

needs_network = pytest.mark.skipif(
    os.environ.get("PROFILER_TEST_ENVIRONMENTS") != "1",
    reason="installs packages from the network: PROFILER_TEST_ENVIRONMENTS=1 scripts/test",
)


@needs_network
def test_openvino_runs_beside_the_cpu_provider(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = make_study(targets='["local-cpu", "openvino-cpu", "openvino-cpu-bf16"]')
    results = run(Study.read(study), tmp_path / "out")
    table = results.table().set_index("target")
    assert (table["status"] == "ok").all(), table["reason"].to_dict()
    found = table.loc["openvino-cpu"]
    assert found["providers"].startswith("OpenVINOExecutionProvider")
    assert found["placed"] == 1.0
    assert found["output_error"] < 1e-5, "fp32 was asked for"
    flags = results.facts()["local-cpu"]["cpu_flags"]
    if {"amx_bf16", "avx512_bf16"} & set(flags):
        assert table.loc["openvino-cpu-bf16", "output_error"] > 1e-4


@needs_network
@pytest.mark.parametrize("plugin", ["openvino-plugin", "webgpu"])
def test_a_plug_in_runs_or_says_that_its_hardware_is_missing(
    plugin: str, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    study = make_study(targets=f'["local-cpu", "{plugin}"]')
    row = run(Study.read(study), tmp_path / "out").table().set_index("target")
    found = row.loc[plugin]
    assert found["status"] == "ok" or "offers no device on this machine" in found["reason"]


def with_unique(path: Path) -> Path:
    """MatMul, Relu, Unique, Tanh: OpenVINO takes all but Unique."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Unique", ["r"], ["u"], sorted=1),
            helper.make_node("Tanh", ["u"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    return path


@needs_network
def test_what_falls_back_to_the_cpu_is_counted_and_strict_refuses_it(tmp_path: Path) -> None:
    import hashlib

    model = with_unique(tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", np.ones((4, 16), np.float32))
    files = (model, tmp_path / "x.npy")
    shas = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    target = find_target("openvino-cpu", tmp_path)

    def job(name: str, strict: bool) -> Job:
        return Job(
            trial=name, provider=target.provider, provider_options=target.provider_options,
            artifact=shas[0], inputs={"x": shas[1]}, strict_provider=strict,
        )  # fmt: skip

    with Session(connect(target)) as session:
        session.stage(files)
        request = RoundRequest(
            jobs=(job("loose", False), job("strict", True)), round=0, seed=1, measure_ns=10_000_000
        )
        loose, strict = session.round(request, lambda event: None)
    assert loose.placement == Placement(nodes=4, on_provider=3, elsewhere={"Unique": 1})
    assert strict.status == "failed"
    assert "1 of 4 nodes are not on OpenVINOExecutionProvider: Unique" in (strict.detail or "")
