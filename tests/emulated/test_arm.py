"""A whole study on the emulated 64-bit Arm device, over real OpenSSH."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from profiler import Study, run
from profiler.schema.device.target_files import read_target
from profiler.transport import connect
from profiler.transport.conformance import CHECKS

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "arm_device"
STUDY = """
variants = ["fp32", "int8-dynamic", "int8-static"]
[measure]
budget = "60s"
round_time = "50ms"
min_rounds = 4
max_rounds = 4
"""


@pytest.fixture(scope="module")
def device(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The device's target file."""
    if not request.config.getoption("--devices"):
        pytest.skip("needs the emulated Arm device: scripts/test --devices (as root)")
    state = Path(os.environ.get("ARM_DEVICE") or Path.home() / ".cache" / "profiler-arm")
    was_up = subprocess.run([SCRIPT, "status"], capture_output=True).returncode == 0
    up = subprocess.run([SCRIPT, "up"], capture_output=True, text=True)
    if up.returncode != 0:
        pytest.skip(up.stderr.strip().replace("\n", "; "))
    yield state / "arm-emulated.toml"
    if not was_up:
        subprocess.run([SCRIPT, "down"], check=True, capture_output=True)


@pytest.mark.timeout(280)
def test_a_study_there_predicts_what_it_predicts_here(
    device: Path, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    import numpy as np

    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "arm-emulated.toml").write_bytes(device.read_bytes())
    connect(read_target(device)).clean()
    study = Study.read(make_study(STUDY, targets='["local-cpu", "arm-emulated"]'))
    results = run(study, tmp_path / "out")
    table = results.table().set_index(["target", "variant"])
    assert (table["status"] == "ok").all(), table["reason"].tolist()
    assert results.facts()["arm-emulated"]["architecture"] == "aarch64"
    outputs = {}
    for trial, taken in results.samples.items():
        named = next(t.repetition.outputs for t in taken.taken.values() if t.repetition.outputs)
        found = np.load(tmp_path / "out" / "outputs" / f"{next(iter(named.values()))}.npy")
        outputs[(results.trials[trial].target, results.trials[trial].variant)] = found
    for variant, tolerance in (("fp32", 1e-5), ("int8-static", 0.02), ("int8-dynamic", 0.05)):
        here, there = outputs[("local-cpu", variant)], outputs[("arm-emulated", variant)]
        scale = np.abs(here).max()
        assert np.abs(here - there).max() <= tolerance * scale, variant
        assert (here.argmax(axis=1) == there.argmax(axis=1)).mean() >= 0.95
    assert results.choose().trial is not None
    assert "@local-cpu" in str(results.choose().trial), "emulated times win nothing"
    from profiler.report.warnings import warnings

    assert any("emulated" in text for text in warnings(results))
    transport = connect(read_target(device))
    transport.clean()
    transport.close()


@pytest.mark.parametrize("name", CHECKS)
def test_conformance(name: str, device: Path, tmp_path: Path) -> None:
    CHECKS[name](lambda: connect(read_target(device)), tmp_path)
