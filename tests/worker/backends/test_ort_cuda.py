"""The GPU path without a GPU: options, binding plan, and when the clock is read."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from profiler.schema.device.target import Target
from profiler.wire.codec import DecodeError, decode
from profiler.wire.messages import GpuOptions, Job
from profiler.wire.providers import CUDA, TENSORRT
from profiler.worker.backends import ort_cuda
from profiler.worker.backends.ort import OrtBackend
from profiler.worker.backends.ort_cuda import (
    CudaBackend,
    environment,
    output_shape,
    provider_options,
    symbols,
)

ROWS = {"x": np.arange(12, dtype=np.float32).reshape(6, 2)}


class FakeSession:
    """Logs what is done to it; one input x [batch, 2], one output y [batch, 3]."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self._sess = SimpleNamespace(
            run=lambda names, feed, options: log.append(f"run {feed['x'].tolist()}"),
            run_with_iobinding=lambda bound, options: log.append("run"),
        )

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", shape=["batch", 2], type="tensor(float)")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="y", shape=["batch", 3], type="tensor(float16)")]

    def io_binding(self) -> Any:
        log = self.log
        return SimpleNamespace(
            bind_ortvalue_input=lambda name, value: log.append(f"in {name} {value.place}"),
            bind_ortvalue_output=lambda name, value: log.append(f"out {name} {value.place}"),
            bind_output=lambda name, device, number: log.append(f"out {name} {device}:{number}"),
            synchronize_inputs=lambda: log.append("inputs ready"),
            _iobinding=SimpleNamespace(synchronize_outputs=lambda: log.append("device done")),
        )


class FakeValue:
    def __init__(self, place: str, log: list[str]) -> None:
        self.place, self.log = place, log

    def update_inplace(self, value: np.ndarray) -> None:
        self.log.append(f"copy {value.tolist()}")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[CudaBackend, list[str]]]:
    """backend(**gpu options) -> (bound backend, what happened since)."""

    def make(**options: Any) -> tuple[CudaBackend, list[str]]:
        log: list[str] = []
        monkeypatch.setattr(
            ort,
            "OrtValue",
            SimpleNamespace(
                ortvalue_from_numpy=lambda value, device, n: FakeValue(f"{device}:{n}", log),
                ortvalue_from_shape_and_type=lambda shape, kind, device, n: FakeValue(
                    f"{device}:{n} {shape} {kind}", log
                ),
            ),
        )
        made = CudaBackend()
        made._gpu = GpuOptions(**options)
        made._session, made._output_names, made._numbers = FakeSession(log), ["y"], ["y"]
        made.bind(ROWS, 2, True, 1)
        return made, log

    return make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    def logged(log: list[str]) -> None:
        def read() -> int:
            log.append("clock")
            return len(log)

        monkeypatch.setattr(ort_cuda, "time", SimpleNamespace(perf_counter_ns=read))

    return logged


def test_on_the_device_the_clock_is_read_after_the_device_is_done(
    backend: Callable[..., Any], clock: Callable[[list[str]], None]
) -> None:
    made, log = backend(binding="device")
    assert log == ["in x cuda:0", "out y cuda:0"] * 3, "nothing is bound in host memory"
    log.clear()
    clock(log)
    out = [0, 0]
    made.timed(0, out)
    assert log == ["clock", "run", "device done", "clock"] * 2


def test_with_copies_a_query_goes_from_numpy_to_numpy(
    backend: Callable[..., Any], clock: Callable[[list[str]], None]
) -> None:
    made, log = backend(binding="host")
    assert log == []
    clock(log)
    made.timed(1, [0, 0])
    assert log == [
        "clock", "run [[4.0, 5.0], [6.0, 7.0]]", "clock",
        "clock", "run [[8.0, 9.0], [10.0, 11.0]]", "clock",
    ]  # fmt: skip


def test_a_graph_reads_fixed_addresses_and_gets_new_rows_untimed(
    backend: Callable[..., Any], clock: Callable[[list[str]], None]
) -> None:
    made, log = backend(binding="device", cuda_graph=True)
    assert log == ["in x cuda:0", "out y cuda:0 (2, 3) float16"], "one binding, known shapes"
    log.clear()
    clock(log)
    made.timed(1, [0])
    assert log == [
        "copy [[4.0, 5.0], [6.0, 7.0]]", "inputs ready", "clock", "run", "device done", "clock",
    ]  # fmt: skip
    with pytest.raises(RuntimeError, match="cuda_graph"):
        made.predict(ROWS, 2, True)


def test_a_graph_needs_known_shapes() -> None:
    known = symbols({"x": ["batch", 2]}, {"x": np.zeros((4, 2))})
    assert known == {"batch": 4}
    assert output_shape(["batch", 3], known) == (4, 3)
    with pytest.raises(ValueError, match="known beforehand"):
        output_shape(["found", 3], known)


def test_options_of_cuda_and_tensorrt() -> None:
    plain = provider_options(CUDA, GpuOptions(), {}, Path("/e"))
    assert plain == {"device_id": "0", "use_tf32": "0", "enable_cuda_graph": "0",
                     "do_copy_in_default_stream": "1"}  # fmt: skip
    tuned = provider_options(
        CUDA, GpuOptions(tf32=True, cuda_graph=True), {"use_tf32": "0", "x": "1"}, Path("/e")
    )
    assert (tuned["use_tf32"], tuned["enable_cuda_graph"], tuned["x"]) == ("0", "1", "1")
    engine = provider_options(TENSORRT, GpuOptions(), {}, Path("/e"))
    assert engine["trt_engine_cache_enable"] == "1"
    assert engine["trt_engine_cache_path"] == "/e"
    assert "use_tf32" not in engine


def test_the_chosen_gpu_is_the_only_one_visible() -> None:
    assert environment(GpuOptions(select="GPU-12345678", tf32=True)) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "GPU-12345678",
    }  # fmt: skip
    assert environment(GpuOptions())["NVIDIA_TF32_OVERRIDE"] == "0"


def test_building_an_engine_is_told_from_reading_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in environment(GpuOptions()):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    engine = tmp_path / "engines" / "sha" / "a.engine"
    used: dict[str, str] = {}

    def load(self: OrtBackend, job: Job, model: Path) -> None:
        used.update(job.provider_options)
        engine.write_bytes(b"")

    monkeypatch.setattr(OrtBackend, "load", load)
    job = Job(trial="t", provider=TENSORRT, gpu=GpuOptions())
    for built in (True, False):
        made = CudaBackend()
        made.load(job, tmp_path / "blobs" / "sha")
        assert made.built_engine() is built
    assert used["trt_engine_cache_path"] == str(engine.parent)


def test_a_target_with_cuda_has_a_gpu_and_others_must_not() -> None:
    target = decode(Target, {"name": "t", "provider": CUDA})
    assert target.gpu is not None
    assert target.gpu.binding == "device"
    for wrong in (
        {"name": "t", "gpu": {}},
        {"name": "t", "provider": CUDA, "gpu": {"select": "0; rm"}},
        {"name": "t", "provider": CUDA, "gpu": {"binding": "host", "cuda_graph": True}},
    ):
        with pytest.raises(DecodeError):
            decode(Target, wrong)


def test_out_of_device_memory_is_its_own_reason() -> None:
    from profiler.worker.measuring.runner import failure

    for text in (
        "CUDA failure 2: out of memory ; GPU=0",
        "bfc_arena.cc: Failed to allocate memory for requested buffer of size 42",
    ):
        assert failure(RuntimeError(text))["reason"] == "out of memory"
