"""Providers that must be downloaded. They run where PROFILER_TEST_ENVIRONMENTS=1 is set."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler import Study, run

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
