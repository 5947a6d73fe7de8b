"""PyTorch itself as the reference: the module as it came, eager or through torch.compile.

The only file of the worker that may import torch, and it is imported only for targets with
`backend = "torch"`. The source runs here, so it must be importable on this machine.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch

from profiler.wire.messages import Job, Placement

EAGER, COMPILED = "torch-eager", "torch-compile"
MAX_QUERIES = 64
MAX_BYTES = 64 * 2**20


def importable(folders: tuple[str, ...], name: str) -> None:
    """Let `name` be found in `folders`, also where its top package is loaded already.

    The worker's own `profiler` is an archive without the demo; the host's folder is added to it.
    """
    top = name.partition(".")[0]
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)
        loaded = getattr(sys.modules.get(top), "__path__", None)
        inside = str(Path(folder) / top)
        if loaded is not None and Path(inside).is_dir() and inside not in loaded:
            loaded.append(inside)
    importlib.invalidate_caches()


def source(text: str, folders: tuple[str, ...], seed: int) -> Any:
    """The module that 'package.module:callable' returns, in eval mode, seeded as for export."""
    name, _, attribute = text.partition(":")
    importable(folders, name)
    torch.manual_seed(seed)
    made = getattr(importlib.import_module(name), attribute)()
    module = made[0] if isinstance(made, tuple) else made
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"{text} returned {type(module).__name__}, not a torch.nn.Module")
    return module.eval().cpu()


def flat(value: Any) -> list[Any]:
    """Tensors of a module's answer in order: a tensor, a tuple, or a dict of them."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if hasattr(value, "values") else value
    return [tensor for part in parts if part is not None for tensor in flat(part)]


class TorchBackend:
    """A torch module on the CPU."""

    providers: tuple[str, ...] = ()

    def load(self, job: Job, model: Optional[Path]) -> None:
        if job.source is None:
            raise ValueError('the torch backend needs a model with torch = "module:callable"')
        torch.set_num_threads(job.threads)
        self._outputs = job.outputs
        self._kept = [name for name in job.judged if name in job.outputs] or job.outputs
        self._module = source(job.source, job.source_folders, job.seed)
        self._names = tuple(inspect.signature(self._module.forward).parameters)
        self._call: Any = self._module
        if job.provider == COMPILED:
            from torch._inductor import config

            config.compile_threads = 1  # its pool of compilers would stay beside the timed loop
            self._call = torch.compile(self._module)
        self.providers = (job.provider,)

    def placement(self) -> Optional[Placement]:
        return None

    def _queries(
        self, rows: dict[str, Any], batch: int, stack: bool
    ) -> Iterator[tuple[list[Any], dict[str, Any]]]:
        """Arguments of single calls; the last incomplete batch is filled by cycling."""
        count = len(next(iter(rows.values())))
        by_name = set(rows) <= set(self._names)
        for start in range(0, count, batch if stack else 1):
            index: Any = np.arange(start, start + batch) % count if stack else start
            feed = {name: torch.from_numpy(np.array(v[index])) for name, v in rows.items()}
            yield ([], feed) if by_name else (list(feed.values()), {})

    def bind(self, rows: dict[str, Any], batch: int, stack: bool, lanes: int) -> None:
        row_bytes = sum(values[:1].nbytes for values in rows.values()) * (batch if stack else 1)
        limit = max(1, min(MAX_QUERIES, MAX_BYTES // max(1, row_bytes)))
        self._bound = list(islice(self._queries(rows, batch, stack), limit))

    def prepare(self) -> None:
        return

    def asker(self) -> Callable[[int], object]:
        bound, call, count = self._bound, self._call, len(self._bound)

        def ask(number: int) -> None:
            given, named = bound[number % count]
            with torch.inference_mode():
                call(*given, **named)

        return ask

    def timed(self, first: int, out: Any) -> None:
        bound, call, clock = self._bound, self._call, time.perf_counter_ns
        cycle = [bound[(first + i) % len(bound)] for i in range(len(out))]
        with torch.inference_mode():
            for i, (given, named) in enumerate(cycle):
                start = clock()
                call(*given, **named)
                out[i] = clock() - start

    def predict(self, rows: dict[str, Any], batch: int, stack: bool) -> dict[str, Any]:
        count = len(next(iter(rows.values())))
        pieces: dict[str, list[Any]] = {name: [] for name in self._kept}
        starts = range(0, count, batch if stack else 1)
        with torch.inference_mode():
            for start, (given, named) in zip(starts, self._queries(rows, batch, stack)):
                for name, tensor in zip(self._outputs, flat(self._call(*given, **named))):
                    if name not in pieces:
                        continue
                    value = tensor.numpy()
                    pieces[name].append(value[: count - start] if stack else value[None])
        return {name: np.concatenate(values) for name, values in pieces.items()}

    def call(self, feed: dict[str, Any]) -> dict[str, Any]:
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in feed.items()}
        by_name = set(feed) <= set(self._names)
        with torch.inference_mode():
            found = self._call(**tensors) if by_name else self._call(*tensors.values())
        return {name: tensor.numpy() for name, tensor in zip(self._outputs, flat(found))}
