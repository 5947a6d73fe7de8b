"""Shared by all tests: a private cache, and models small enough to measure in no time."""

import fcntl
import functools
import hashlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made tells of the machine, not of the code: no limits on time. The first
# text builds tables of Unicode, which takes a second in a fresh checkout.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# A shell that starts this in its background has it ignore Ctrl-C, and all that it starts; tests
# of Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--devices", action="store_true", help="also run tests with (emulated) devices"
    )
    parser.addoption(
        "--worker-cpu",
        metavar="CPU",
        help="local workers compute as this x86 processor does, by qemu-x86_64: Haswell has no"
        " VNNI, so that 8-bit sums saturate (times mean nothing then)",
    )


def emulated_python(folder: Path, cpu: str) -> Path:
    """The interpreter that scripts/x86_device makes. Raises OSError without QEMU."""
    script = Path(__file__).resolve().parents[1] / "scripts" / "x86_device"
    return Path(runpy.run_path(str(script))["make"](folder, cpu))


@pytest.fixture(scope="session")
def worker_python(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path | None:
    """The interpreter of local workers under --worker-cpu; None without it."""
    cpu = request.config.getoption("--worker-cpu")
    return None if cpu is None else emulated_python(tmp_path_factory.mktemp("cpu"), cpu)


@pytest.fixture(autouse=True)
def worker_cpu(worker_python: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if worker_python is not None:
        known = SimpleNamespace(**{**vars(sys), "executable": str(worker_python)})
        for module in ("local", "environment"):
            monkeypatch.setattr(f"profiler.transport.{module}.sys", known)


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True, scope="session")
def asked_once() -> Iterator[None]:
    """What answers the same each time, and takes long: what the host's processor is (it sleeps a
    second over it), and the script of a report.
    """
    import cpuinfo
    import vl_convert

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((cpuinfo, "get_cpu_info"), (vl_convert, "javascript_bundle")):
            patch.setattr(module, name, functools.cache(getattr(module, name)))
        yield


@pytest.fixture(autouse=True, scope="session")
def warm_soon() -> Iterator[None]:
    """Runs warm each process up for as long as queries become faster, and not 0.1 s at least: a
    model of these tests is level at once. test_warming holds the rule itself.
    """
    from profiler.wire.messages import RoundRequest

    with pytest.MonkeyPatch.context() as patch:
        plain = RoundRequest.__init__
        short = functools.partialmethod(plain, warmup_ns=5_000_000)
        patch.setattr(RoundRequest, "__init__", short)
        yield


@pytest.fixture(autouse=True, scope="session")
def again_soon() -> Iterator[None]:
    """What can't be reached is tried again after moments, and given up soon."""
    import profiler.devices.session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiler.devices.session, "BACKOFF_S", (0.01, 0.02))
        yield


Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    """program("table", "out"): the command in this process and in tmp_path, as if it were typed."""
    from profiler import cli

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        ended: object = 0
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["profiler", *map(str, words)])
            try:
                cli.main()
            except SystemExit as end:
                ended = end.code
        told = capsys.readouterr()
        return subprocess.CompletedProcess(
            list(map(str, words)), int(ended or 0), told.out, told.err
        )

    return call


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model files that are measured in this process take rounds as short as FAST's."""
    from profiler.commands import model_study
    from profiler.wire.codec import decode

    def brief(kind: type, plain: dict[str, object]) -> object:
        brief = {"round_time": "20ms", "block_time": "2ms", "max_rounds": 4}
        return decode(kind, {**plain, "measure": {**plain["measure"], **brief}})

    monkeypatch.setattr(model_study, "decode", brief)


@pytest.fixture
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process end after a round: for tests of what is measured, not how often."""
    from profiler.campaign.group import GroupState

    def stop(group: GroupState) -> str:
        return "rounds" if group.active() else "every trial failed"

    monkeypatch.setattr(GroupState, "_stop", stop)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process write empty pictures and pages: drawing takes seconds."""
    files = dict.fromkeys(("report.html", "frontier.png"), b"")
    monkeypatch.setattr("profiler.report.write.contents", lambda _: files)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """make_model(name, width=16, classes=3, batch='batch') -> path of an ONNX classifier."""

    def make(
        name: str = "model.onnx",
        width: int = 16,
        classes: int = 3,
        batch: object = "batch",
        seed: int = 0,
    ) -> Path:
        import numpy as np
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        generator = np.random.default_rng(seed)
        hidden = generator.standard_normal((width, 32)).astype(np.float32)
        last = generator.standard_normal((32, classes)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w1"], ["h"]),
                helper.make_node("Relu", ["h"], ["r"]),
                helper.make_node("MatMul", ["r", "w2"], ["scores"]),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, width])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
            [numpy_helper.from_array(hidden, "w1"), numpy_helper.from_array(last, "w2")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return path

    return make


FAST = """
[measure]
budget = "3s"
round_time = "20ms"
block_time = "2ms"
max_rounds = 4
"""


@pytest.fixture
def make_study(tmp_path: Path, make_model: Callable[..., Path]) -> Callable[..., Path]:
    """make_study(text) -> study.toml beside model.onnx and rows.npz (48 rows, labels by fp32)."""

    def make(text: str = "", *, data: bool = True, targets: str = '["local-cpu"]') -> Path:
        import numpy as np
        import onnxruntime as ort

        model = make_model("model.onnx")
        x = np.random.default_rng(1).standard_normal((48, 16)).astype(np.float32)
        scores = ort.InferenceSession(model).run(None, {"x": x})[0]
        np.savez(tmp_path / "rows.npz", x=x, labels=scores.argmax(axis=1))
        parts = [f'name = "tiny"\ntargets = {targets}\nthreads = [1]\n', text]
        if "[[models]]" not in text:
            parts.append('[[models]]\nname = "m"\nonnx = "model.onnx"\n')
        if data:
            parts.append('[data]\nfile = "rows.npz"\nlabels = "labels"\ncalibration_rows = 8\n')
        if "[measure]" not in text:
            parts.append(FAST)
        path = tmp_path / "study.toml"
        path.write_text("\n".join(parts))
        return path

    return make


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this call of pytest share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def measured(
    shared_folder: Path,
    make_study: Callable[..., Path],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Callable[..., Path]:
    """measured(as make_study) -> a copy of the study's results folder, which is measured once.

    The study lies in tmp_path.
    """

    def copy(text: str = "", **more: Any) -> Path:
        import profiler

        study = make_study(text, **more)
        beside = sorted(path for path in tmp_path.iterdir() if path.is_file())
        known = b"".join(path.name.encode() + path.read_bytes() for path in beside)
        known += b"one round" if "one_round" in request.fixturenames else b""
        name = hashlib.sha256(known).hexdigest()[:16]
        folder = shared_folder / name
        with (shared_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                profiler.run(study, shared_folder / f"{name}.part").folder.rename(folder)
        return Path(shutil.copytree(folder, tmp_path / "theirs"))

    return copy


@pytest.fixture
def task_study(tmp_path: Path) -> Callable[..., Path]:
    """task_study(model, variant, *lines of data) -> study.toml, rows.npz beside it."""

    def write(model: str, variant: str, *data: str) -> Path:
        path = tmp_path / "study.toml"
        path.write_text(
            f'name = "task"\nthreads = [1]\nvariants = ["fp32", "{variant}"]\n'
            f'[[models]]\nname = "{model}"\nonnx = "{model}.onnx"\n'
            '[data]\nfile = "rows.npz"\nlabels = "labels"\ncalibration_rows = 8\n'
            + "\n".join(data) + FAST
        )  # fmt: skip
        return path

    return write


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """stub(mode): from now on `ssh` is tests/stubs/ssh in that mode."""
    folder = Path(__file__).resolve().parent / "stubs"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def choose(mode: str, **more: str) -> None:
        monkeypatch.setenv("STUB_SSH", mode)
        for name, value in more.items():
            monkeypatch.setenv(name, value)

    return choose
