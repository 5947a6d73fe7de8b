"""A Mac measures itself: what it says of itself, what it can't, and CoreML's session."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import onnxruntime as ort
import pytest

from profiler.schema.device import facts
from profiler.schema.device.target_files import read_target
from profiler.wire.messages import Job
from profiler.worker.backends.ort_providers import open_session
from profiler.worker.instruments import mac as mac_facts
from tests.hosts.conftest import ROOT, Profiler

INTEL = """hw.memsize: 34359738368
machdep.cpu.brand_string: Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz
machdep.cpu.features: FPU SSE4.2 AVX1.0 FMA
machdep.cpu.leaf7_features: AVX2 BMI2
"""


def test_what_sysctl_says_becomes_facts(mac: Path, mac_programs: None) -> None:
    code = (
        "import json; from profiler.worker.instruments import facts\n"
        "print(json.dumps(facts.gather()))"
    )
    done = subprocess.run([mac, "-c", code], capture_output=True, text=True, check=True)
    found = facts.checked(json.loads(done.stdout))
    expected = {
        "architecture": "arm64", "cpu": "Apple M1", "device": "MacBookPro17,1", "os": "macOS 15.1",
        "kernel": "24.1.0", "memory_bytes": 2**34, "virtualised": False, "usable_cpus": None,
        "can_limit_memory": False, "core_groups": [], "governor": None, "libc": None,
        "cpu_flags": ["asimd", "asimddp", "asimdhp"],
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert found["memory_available_bytes"] > 0
    assert found["load_1min"] >= 0


def test_an_intel_mac_has_flags_as_linux_calls_them() -> None:
    found = mac_facts.describe(mac_facts.parse_sysctl(INTEL))
    assert found["cpu_flags"] == ["fpu", "sse4.2", "avx", "fma", "avx2", "bmi2"]
    assert found["memory_bytes"] == 2**35
    assert found["virtualised"] is None, "not asked is not known"


def test_without_sysctl_and_psutil_facts_are_not_available(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/nowhere/sysctl")
    monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    found = mac_facts.describe(mac_facts.ask())
    assert (found["cpu"], found["memory_bytes"], found["memory_available_bytes"]) == (None,) * 3
    assert mac_facts.resident_bytes() is None
    assert mac_facts.peak_bytes() > 0


@pytest.mark.timeout(600)
def test_a_mac_measures_itself(
    on_mac: Profiler, mac_programs: None, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    make_study('[sweep]\naffinity = ["", "0"]\nmemory_limit = ["", "512MB"]\n', data=False)
    done = on_mac("run", "study.toml", "-o", "out", "-q", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    (measured,) = [row for row in rows if row["status"] == "ok"]
    assert measured["p50_ns"] > 0
    assert 2**22 < measured["memory_peak_bytes"] < 2**34
    reasons = {row["reason"] for row in rows if row["status"] != "ok"}
    assert {reason.split(":")[0] for reason in reasons} == {"affinity", "memory limits"}


def test_a_process_is_known_by_when_it_began(mac: Path) -> None:
    code = (
        "import os; from profiler.worker.service.turn import started\n"
        "print(started(os.getpid()) is not None, started(os.getpid()) == started(os.getpid()),\n"
        "      started(2**22 + 1))"
    )
    done = subprocess.run([mac, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "None"]


def test_coreml_gets_the_options_of_its_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = read_target(ROOT / "targets" / "coreml.toml")
    asked = {}

    def session(model: str, options: object, **given: object) -> SimpleNamespace:
        asked.update(given)
        return SimpleNamespace(get_providers=lambda: [target.provider, "CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", session)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [target.provider])
    job = Job(
        trial="m/fp32", artifact="a" * 64, backend="onnxruntime", provider=target.provider,
        provider_options=target.provider_options, threads=1,
    )  # fmt: skip
    open_session(tmp_path / "m.onnx", ort.SessionOptions(), job)
    assert asked["providers"] == [
        ("CoreMLExecutionProvider", {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"})
    ]
    assert asked["enable_fallback"] == 0, "no session on the CPU in silence"
