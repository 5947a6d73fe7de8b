"""A device whose Python is the oldest that is supported, over a real sshd."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from profiler import Study, run
from profiler.devices.session import open_session
from profiler.errors import TransportError
from profiler.schema.device.target_files import read_target
from profiler.transport.payload import build, sources

STUDY = """
variants = ["fp32"]
[[models]]
name = "m"
onnx = "model.onnx"
[[models]]
name = "new"
onnx = "new.onnx"
[stress]
[measure]
budget = "9s"
round_time = "20ms"
block_time = "2ms"
min_rounds = 4
max_rounds = 4
"""


@pytest.fixture
def device(sshd: Any, oldest_python: str, tmp_path: Path) -> Path:
    """Its folder. It had nothing but its Python: numpy and onnxruntime were brought."""
    folder = tmp_path / "device"
    spec = sshd.with_folder(folder)
    (tmp_path / "targets").mkdir()
    target = tmp_path / "targets" / "board.toml"
    target.write_text(
        f'transport = "ssh"\npython = "{oldest_python}"\n[ssh]\nhost = "{spec.host}"\n'
        f'user = "{spec.user}"\nport = {spec.port}\nidentity_file = "{spec.identity_file}"\n'
        f'config_file = "{spec.config_file}"\nfolder = "{folder}"\n'
    )
    try:
        with open_session(read_target(target)) as session:
            assert session.facts["python"].startswith("3.8.")
            assert session.facts["onnxruntime"], session.facts.get("onnxruntime_error")
    except TransportError as error:
        if "pip finds none" in error.message:
            pytest.skip(f"needs a package index with wheels of that age: {error.message}")
        raise
    return folder


def test_a_study_on_the_oldest_python(
    device: Path, oldest_python: str, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    """A model that its runtime is too old for is excluded; the other one is measured."""
    path = make_study(STUDY, targets='["board"]')
    model = onnx.load(tmp_path / "model.onnx")
    model.opset_import[0].version = 23
    model.ir_version = 11
    onnx.save(model, tmp_path / "new.onnx")
    results = run(Study.read(path), tmp_path / "out")
    table = results.table().set_index("model")
    facts = results.facts()["board"]
    assert table.loc["new", "status"] == "excluded"
    assert (
        f"the model is of opset 23; onnxruntime {facts['onnxruntime']} on the target takes"
        f" {facts['max_opset']} at most" in table.loc["new", "reason"]
    )
    measured = table.loc["m"]
    assert measured["status"] == "ok", measured["reason"]
    assert not np.isnan(measured["accuracy"])
    outcomes = {probe.outcome for probe in results.stress.probes}
    assert outcomes & {"answer", "error"}
    assert not outcomes & {"crash", "timeout", "out of memory"}
    # What this study did not need is understood, too.
    archive = tmp_path / "worker.pyz"
    archive.write_bytes(build()[0])
    (packages,) = [path for path in (device / "packages").iterdir() if path.is_dir()]
    names = [n.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for n in sources()]
    done = subprocess.run(
        [oldest_python, "-W", "error", "-c", f"import {', '.join(set(names) - NEED_TORCH)}"],
        env={"PYTHONPATH": f"{archive}:{packages}"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


NEED_TORCH = {"profiler.worker.backends.torch_module"}
