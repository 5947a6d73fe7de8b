"""ONNX Runtime on NVIDIA GPUs: CUDA and TensorRT.

binding = "device": inputs and outputs lie in the GPU's memory; a query is the computation alone.
binding = "host": a query takes numpy arrays and gives numpy arrays, copies both ways included.
In both, the device has finished before the clock is read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Optional, Union

import onnxruntime as ort

from profiler.wire.messages import GpuOptions, Job
from profiler.wire.providers import TENSORRT
from profiler.worker.backends.ort import OrtBackend, feeds_to_bind


def environment(gpu: GpuOptions) -> dict[str, str]:
    """Variables that must be set before CUDA starts in this process.

    The chosen GPU becomes the only visible one, number 0, whether named by index or UUID. TF32 is
    switched off by NVIDIA's own variable, which reaches every library; the provider's option only
    reaches some.
    """
    found = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu.select}
    if not gpu.tf32:
        found["NVIDIA_TF32_OVERRIDE"] = "0"
    return found


def provider_options(
    provider: str, gpu: GpuOptions, given: Mapping[str, str], engines: Path
) -> dict[str, str]:
    """Options of the session. What the target file says itself wins."""
    graph = "1" if gpu.cuda_graph else "0"
    if provider == TENSORRT:
        options = {
            "device_id": "0",
            "trt_cuda_graph_enable": graph,
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": os.fspath(engines),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": os.fspath(engines),
        }
    else:
        options = {
            "device_id": "0",
            "use_tf32": "1" if gpu.tf32 else "0",
            "enable_cuda_graph": graph,
            "do_copy_in_default_stream": "1",
        }
    return {**options, **given}


def output_shape(
    shape: Sequence[Union[int, str, None]], known: Mapping[str, int]
) -> tuple[int, ...]:
    """A declared output shape with its symbolic sizes filled in from the inputs'.

    Raises ValueError where a size is not known before the run: a captured graph can't have that.
    """
    found = []
    for size in shape:
        value = size if isinstance(size, int) else known.get(str(size))
        if value is None:
            raise ValueError(
                f"cuda_graph needs output shapes that are known beforehand, not {list(shape)}"
            )
        found.append(value)
    return tuple(found)


def symbols(
    declared: Mapping[str, Sequence[Union[int, str, None]]], feed: Mapping[str, Any]
) -> dict[str, int]:
    """Symbolic size -> its value in `feed`."""
    return {
        str(size): actual
        for name, shape in declared.items()
        for size, actual in zip(shape, feed[name].shape)
        if not isinstance(size, int)
    }


def preload(provider: str) -> None:
    """Load CUDA, cuDNN and TensorRT from site-packages, where their wheels put them.

    What is not there may still be found by the system's loader; if not, the session says so.
    """
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    if provider == TENSORRT:
        with suppress(ImportError):
            import_module("tensorrt")  # its import loads libnvinfer


class CudaBackend(OrtBackend):
    """A session on a GPU. Its memory holds the bound queries."""

    _output_device = "cuda"

    def load(self, job: Job, model: Optional[Path]) -> None:
        if model is None or job.gpu is None:
            raise ValueError("a GPU session needs a model file and the target's [gpu] table")
        self._gpu = job.gpu
        os.environ.update(environment(job.gpu))
        preload(job.provider)
        engines = model.parent.parent / "engines" / model.name
        self._engines = engines if job.provider == TENSORRT else None
        if self._engines is not None:
            engines.mkdir(parents=True, exist_ok=True)
        self._engines_before = self._engine_files()
        options = provider_options(job.provider, job.gpu, job.provider_options, engines)
        super().load(_with_options(job, options), model)

    def _engine_files(self) -> frozenset[str]:
        if self._engines is None:
            return frozenset()
        return frozenset(path.name for path in self._engines.glob("*.engine"))

    def built_engine(self) -> bool:
        """Whether loading and the first query built a TensorRT engine instead of reading one."""
        return bool(self._engine_files() - self._engines_before)

    def bind(self, rows: dict[str, Any], batch: int, stack: bool, lanes: int) -> None:
        if self._gpu.cuda_graph and lanes > 1:
            raise ValueError("a CUDA graph has one set of buffers: concurrency must be 1")
        self._feeds = feeds_to_bind(rows, batch, stack, lanes)
        if self._gpu.binding == "host":
            self._bindings = []
        elif self._gpu.cuda_graph:
            self._bindings = [self._graph_binding(self._feeds[0])]
        else:
            self._bindings = [self._device_binding(feed) for feed in self._feeds]

    def _device_binding(self, feed: dict[str, Any]) -> Any:
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, "cuda", 0))
        for name in self._output_names:
            binding.bind_output(name, self._device_of(name), 0)
        return binding

    def _graph_binding(self, feed: dict[str, Any]) -> Any:
        """One binding for all queries: a captured graph reads and writes fixed addresses."""
        binding = self._session.io_binding()
        self._inputs = {
            name: ort.OrtValue.ortvalue_from_numpy(value, "cuda", 0) for name, value in feed.items()
        }
        for name, value in self._inputs.items():
            binding.bind_ortvalue_input(name, value)
        known = symbols({i.name: i.shape for i in self._session.get_inputs()}, feed)
        for output in self._session.get_outputs():
            value = ort.OrtValue.ortvalue_from_shape_and_type(
                output_shape(output.shape, known), _numpy_type(output.type), "cuda", 0
            )
            binding.bind_ortvalue_output(output.name, value)
        return binding

    def prepare(self) -> None:
        if self._bindings and not self._gpu.cuda_graph:
            super().prepare()

    def asker(self) -> Callable[[int], object]:
        return lambda number: self._query(number, time.perf_counter_ns)

    def timed(self, first: int, out: Any) -> None:
        clock = time.perf_counter_ns
        for i in range(len(out)):
            out[i] = self._query(first + i, clock)

    def _query(self, index: int, clock: Any) -> int:
        """One query's latency in ns."""
        session = self._session._sess
        if not self._bindings:
            feed = self._feeds[index % len(self._feeds)]
            start = clock()
            session.run(
                self._output_names, feed, self._run_options
            )  # returns arrays: all copies are done
            return int(clock() - start)
        binding = self._bindings[index % len(self._bindings)]
        if self._gpu.cuda_graph:
            for name, value in self._feeds[index % len(self._feeds)].items():
                self._inputs[name].update_inplace(value)
            binding.synchronize_inputs()
        elif self._loose:
            self._loosen(binding)
        bound = binding._iobinding
        start = clock()
        session.run_with_iobinding(bound, self._run_options)
        bound.synchronize_outputs()
        return int(clock() - start)

    def predict(self, rows: dict[str, Any], batch: int, stack: bool) -> dict[str, Any]:
        if self._gpu.cuda_graph:
            raise RuntimeError("no predictions with cuda_graph: its addresses are fixed")
        return super().predict(rows, batch, stack)


def _numpy_type(kind: str) -> Any:
    """'tensor(float16)' -> numpy dtype."""
    import numpy as np

    name = kind[len("tensor(") : -1]
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


def _with_options(job: Job, options: dict[str, str]) -> Job:
    from dataclasses import replace

    return replace(job, provider_options=options)
