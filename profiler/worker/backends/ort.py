"""ONNX Runtime. Inputs and outputs are bound before the clock starts; real rows cycle."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Optional

import numpy as np
import onnxruntime as ort

from profiler.wire.messages import Job, Placement
from profiler.worker.backends import ort_placement
from profiler.worker.backends.ort_providers import open_session

_OPTIMIZATION = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_NUMBERS = tuple(
    f"tensor({kind})"
    for kind in (
        "bool", "float16", "float", "double", "int8", "int16", "int32", "int64", "uint8", "uint16",
        "uint32", "uint64",
    )
)  # fmt: skip
"""types of outputs that numpy holds; text, sequences, maps and rare floats are timed, not kept"""
MAX_QUERIES = 64
MAX_BOUND_BYTES = 64 * 2**20


def _queries(rows: dict[str, Any], batch: int, stack: bool) -> Iterator[dict[str, Any]]:
    """Cut rows into the feeds of single queries; the last incomplete batch is filled by cycling.

    What can be a view of `rows` is one.
    """
    count = len(next(iter(rows.values())))
    # A mapped array's own indexing, and a list of row numbers, cost more than a small model.
    plain = {name: np.asarray(values) for name, values in rows.items()}
    for start in range(0, count, batch if stack else 1):
        index: Any = start
        if stack:
            whole = start + batch <= count
            index = (
                slice(start, start + batch) if whole else np.arange(start, start + batch) % count
            )
        yield {name: np.ascontiguousarray(values[index]) for name, values in plain.items()}


def feeds_to_bind(
    rows: dict[str, Any], batch: int, stack: bool, lanes: int
) -> list[dict[str, Any]]:
    """The feeds of the queries that are cycled: bounded in memory, a multiple of `lanes`."""
    row_bytes = sum(values[:1].nbytes for values in rows.values()) * (batch if stack else 1)
    limit = max(1, min(MAX_QUERIES, MAX_BOUND_BYTES // max(1, row_bytes)))
    # Copies: a timed query must not read a page of the rows' file for the first time.
    feeds = [
        {name: np.array(value) for name, value in feed.items()}
        for feed in islice(_queries(rows, batch, stack), limit)
    ]
    return list(islice(cycle(feeds), -(-len(feeds) // lanes) * lanes))


def _fits(shape: Sequence[int], declared: Sequence[Any]) -> bool:
    """Whether a shape is one that a model declares; it may leave sizes open, or all of them."""
    return not declared or (
        len(shape) == len(declared)
        and all(
            not isinstance(wanted, int) or wanted == got for got, wanted in zip(shape, declared)
        )
    )


class OrtBackend:
    """An ONNX Runtime session with pre-bound queries."""

    providers: tuple[str, ...] = ()
    _output_device = "cpu"
    _loose: tuple[str, ...] = ()
    """outputs without a buffer of their own: all, until `prepare` has seen their shapes"""

    def __init__(self) -> None:
        # Without one, ONNX Runtime makes and destroys its own in every query: 0.45 µs.
        self._run_options = ort.RunOptions()

    def load(self, job: Job, model: Optional[Path]) -> None:
        if model is None:
            raise ValueError("onnxruntime needs a model file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = job.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = _OPTIMIZATION[job.optimization]
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = job.arena
        if job.concurrency > 1:
            # Several queries share the pool: spinning threads would take the others' cores.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for key, value in job.session_options.items():
            options.add_session_config_entry(key, value)
        if job.trace:
            self._trace_folder = tempfile.TemporaryDirectory()
            options.enable_profiling = True
            options.profile_file_prefix = f"{self._trace_folder.name}/trace"
        ort_placement.record(options)
        self._session = open_session(model, options, job)
        self._placement = ort_placement.placement(self._session, job.provider)
        if job.strict_provider:
            ort_placement.refuse_partial(self._placement, job.provider)
        self.providers = tuple(self._session.get_providers())
        outputs = self._session.get_outputs()
        self._output_names = [o.name for o in outputs]
        self._numbers = [o.name for o in outputs if o.type in _NUMBERS]
        self._kept = [n for n in job.judged if n in self._numbers] or self._numbers
        self._loose = tuple(self._output_names)

    def placement(self) -> Optional[Placement]:
        return self._placement

    def bind(self, rows: dict[str, Any], batch: int, stack: bool, lanes: int) -> None:
        # The bound memory must stay alive as long as the bindings.
        self._feeds = feeds_to_bind(rows, batch, stack, lanes)
        self._bindings = [self._binding(feed) for feed in self._feeds]

    def _binding(self, feed: dict[str, Any]) -> Any:
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_cpu_input(name, value)
        for name in self._output_names:
            binding.bind_output(name, self._device_of(name), 0)
        return binding

    def _device_of(self, output: str) -> str:
        return self._output_device if output in self._numbers else "cpu"

    def prepare(self) -> None:
        """Now that output shapes are known, keep those buffers instead of allocating each time.

        Skipped for models whose output shape depends on the values of the inputs. An output whose
        shape is not the one the model declares gets a new buffer in every query: ONNX Runtime
        refuses to fill the last one again. So does what is no array of numbers.
        """
        declared = [output.shape for output in self._session.get_outputs()]
        shapes, loose = set(), set(self._output_names) - set(self._numbers)
        for binding in self._bindings:
            self._loosen(binding)
            self._session.run_with_iobinding(binding)
            found = tuple(
                tuple(value.shape()) if name in self._numbers else ()
                for name, value in zip(self._output_names, binding.get_outputs())
            )
            shapes.add(found)
            for name, got, wanted in zip(self._output_names, found, declared):
                if name in self._numbers and not _fits(got, wanted):
                    loose.add(name)
        self._loose = tuple(sorted(loose))
        if len(shapes) > 1:
            return
        for binding in self._bindings:
            for name, value in zip(self._output_names, binding.get_outputs()):
                if name not in loose:
                    binding.bind_ortvalue_output(name, value)

    def _loosen(self, binding: Any) -> None:
        """Let the next query make new buffers: a binding keeps those of the last one."""
        for name in self._loose:
            binding.bind_output(name, self._device_of(name), 0)

    def asker(self) -> Callable[[int], object]:
        run, options = self._session._sess.run_with_iobinding, self._run_options
        bindings, count = self._bindings, len(self._bindings)
        if self._loose:

            def loosened(number: int) -> None:
                binding = bindings[number % count]
                self._loosen(binding)
                run(binding._iobinding, options)

            return loosened
        bound = [binding._iobinding for binding in bindings]
        return lambda number: run(bound[number % count], options)

    def timed(self, first: int, out: Any) -> None:
        bindings, options = self._bindings, self._run_options
        # The binding objects' own C++ call: the public wrapper adds a Python frame per query.
        run = self._session._sess.run_with_iobinding
        turns = [bindings[(first + i) % len(bindings)] for i in range(len(out))]
        clock = time.perf_counter_ns
        if self._loose:
            for i, loose in enumerate(turns):
                self._loosen(loose)
                start = clock()
                run(loose._iobinding, options)
                out[i] = clock() - start
            return
        for i, binding in enumerate([turn._iobinding for turn in turns]):
            start = clock()
            run(binding, options)
            out[i] = clock() - start

    def end_trace(self) -> bytes:
        """Stop ONNX Runtime's profiler; returns what it wrote. The session stays usable."""
        trace = Path(self._session.end_profiling()).read_bytes()
        self._trace_folder.cleanup()
        return trace

    def predict(self, rows: dict[str, Any], batch: int, stack: bool) -> dict[str, Any]:
        count = len(next(iter(rows.values())))
        pieces: dict[str, list[Any]] = {name: [] for name in self._kept}
        for start, feed in zip(
            range(0, count, batch if stack else 1), _queries(rows, batch, stack)
        ):
            for name, found in self._asked(self._kept, feed).items():
                value = np.asarray(found)
                if stack and (value.ndim == 0 or value.shape[0] != batch):
                    raise RuntimeError(
                        f"output {name!r} has shape {value.shape}: no batch of {batch} first"
                    )
                pieces[name].append(value[: count - start] if stack else value[None])
        return {name: np.concatenate(values) for name, values in pieces.items()}

    def call(self, feed: dict[str, Any]) -> dict[str, Any]:
        return self._asked(self._numbers, feed)

    def _asked(self, names: list[str], feed: dict[str, Any]) -> dict[str, Any]:
        # An empty list would mean all outputs.
        return dict(zip(names, self._session.run(names or self._output_names, feed)))
