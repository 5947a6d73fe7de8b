"""Made-up queries of a model without data, which the model has answered before they are timed.

A helper process asks the CPU provider. What it refuses is drawn anew with plainer numbers, and with
sizes that nobody gave as those of other inputs are; else one message says what to type.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from profiler.data import synthesise
from profiler.data.synthesise import DRAWS
from profiler.errors import ModelError
from profiler.progress import Progress
from profiler.schema.artifact import Artifact, Tensor
from profiler.schema.axes import Batch, all_sizes
from profiler.sources import openable
from profiler.sources.openable import ASKED, BYTES
from profiler.sources.quiet import shortened

QUERIES = 64
TRIES = 60
TRIES_S = 60.0
_VALUES = 8
"""sizes of other inputs that are tried for one that nobody gave"""

Queries = dict[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Draws the queries of one model, its file being `file`."""

    model: str
    baseline: Artifact
    counts: Batch
    seed: int
    file: Path
    progress: Progress

    def queries(self, shapes: Mapping[str, int], batch: int) -> Queries:
        """Input -> [queries, ...] of `batch` samples each, open dimensions as `shapes` says.

        Several queries, so that no cached one is timed. Notes what nobody gave. Raises ModelError
        when the CPU provider answers none that could be thought of, DataError when there is none.
        """
        _, left = self._sizes(shapes, batch)
        began, first = time.monotonic(), None
        for number, (more, draw) in enumerate(self._ways(shapes, batch, left)):
            if first is not None and (number > TRIES or time.monotonic() - began > TRIES_S):
                break
            made = self._draw({**shapes, **more}, batch, draw)
            few = ASKED if sum(value.nbytes for value in made.values()) <= BYTES else 1
            said = openable.refused(self.file, {n: value[:few] for n, value in made.items()})
            if said is None:
                self._tell(shapes, batch, left, more, draw)
                return made
            first = first or (made, said)
        assert first is not None
        raise self._refusal(*first, left=left)

    def _sizes(self, shapes: Mapping[str, int], batch: int) -> tuple[dict[str, int], list[str]]:
        names, inputs = self.counts.names, self.baseline.inputs
        return all_sizes(inputs, samples=names, rows=batch, given=shapes)

    def _ways(
        self, shapes: Mapping[str, int], batch: int, left: Sequence[str]
    ) -> Iterator[tuple[dict[str, int], str]]:
        """(sizes of what nobody gave, of DRAWS), the likeliest first."""
        for draw in DRAWS:
            yield {}, draw
        if not left:
            return
        sizes, _ = self._sizes(shapes, batch)
        fixed = [d for t in self.baseline.inputs for d in t.shape if isinstance(d, int)]
        known = [sizes[name] for name in sizes if name not in left]
        values = [*known, *fixed, *(one + other for one, other in combinations(sizes.values(), 2))]
        values = [value for value in dict.fromkeys(values) if value > 1][:_VALUES]
        for draw in DRAWS:
            for value in values:
                yield dict.fromkeys(left, value), draw
                if len(left) > 1:
                    yield from (({name: value}, draw) for name in left)

    def _draw(self, shapes: Mapping[str, int], batch: int, draw: str) -> Queries:
        def query(number: int) -> Queries:
            return synthesise(
                self.baseline.inputs, shapes=shapes, rows=batch, seed=self.seed + number,
                samples=self.counts.names, takes=self.baseline.takes, draw=draw,
            )  # fmt: skip

        first = query(0)
        each_bytes = sum(value.nbytes for value in first.values())
        count = max(2, min(QUERIES, BYTES // max(1, each_bytes)))
        queries = [first, *(query(number) for number in range(1, count))]
        return {name: np.stack([q[name] for q in queries]) for name in first}

    def _tell(
        self, shapes: Mapping[str, int], batch: int, left: Sequence[str],
        more: Mapping[str, int], draw: str,
    ) -> None:  # fmt: skip
        """Say which sizes nobody gave, and what had to be drawn otherwise."""
        sizes, _ = self._sizes({**shapes, **more}, batch)
        for name, size in more.items():
            self.progress.note(
                f"{self.model}: {name} is {size}, as ONNX Runtime refuses 1"
                f"{self._beside(name, sizes)} (--shape {name}=SIZE, models.shapes)"
            )
        ones = [name for name in left if name not in more]
        if ones:
            self.progress.note(
                f"{self.model}: {', '.join(ones)} left at 1{self._beside(ones[0], sizes)}"
                f" (--shape {ones[0]}=SIZE, models.shapes)"
            )
        if draw != DRAWS[0]:
            what = "whole numbers are 1" if draw == "ones" else "numbers are the least it may take"
            self.progress.note(f"{self.model}: {what}, as ONNX Runtime refuses others")

    def _beside(self, name: str, sizes: Mapping[str, int]) -> str:
        """How large another input is where one of that open dimension is not; '' if none is."""
        for tensor in self.baseline.inputs:
            if name in tensor.shape and (found := self._other(tensor, name, sizes)) is not None:
                return f'; axis {tensor.shape.index(name)} of "{tensor.name}" beside {found}'
        return ""

    def _other(self, tensor: Tensor, name: str, sizes: Mapping[str, int]) -> str | None:
        axis = tensor.shape.index(name)
        for other in self.baseline.inputs:
            if other.name != tensor.name and len(other.shape) == len(tensor.shape):
                size = sizes.get(str(other.shape[axis]), other.shape[axis])
                if isinstance(size, int) and size > 1:
                    return f'{size} in "{other.name}"'
        return None

    def _refusal(self, made: Queries, said: str, *, left: Sequence[str]) -> ModelError:
        shown = {name: " × ".join(map(str, value.shape[1:])) for name, value in made.items()}
        inputs = shortened(", ".join(f'"{n}" {size or "one number"}' for n, size in shown.items()))
        text = f"models.{self.model}: ONNX Runtime refuses the inputs made up for it ({inputs})"
        ways = [f"give sizes (--shape {shortened(left[0])}=SIZE)"] if left else []
        ones = [f'"{tensor.name}"' for tensor in self.baseline.inputs if self._is_one(tensor)]
        if ones:
            named = shortened(", ".join(ones))
            ways.append(f"make {named} a constant of the model (an initializer)")
        if len(ones) < len(made):
            arrays = shortened(", ".join(f'"{n}"' for n in made if f'"{n}"' not in ones))
            ways.append(f"give rows of your own ([data], --data FILE.npz) with arrays for {arrays}")
        if left:
            sizes, _ = self._sizes({}, 1)
            said += f"; {shortened(', '.join(left))} left at 1"
            said += self._beside(left[0], {**sizes, **self._given(made)})
        return ModelError(f"{text}: {said}", hint=", or ".join(ways))

    def _is_one(self, tensor: Tensor) -> bool:
        """Whether the input has no axis of samples: one value for all of them."""
        names, shape = self.counts.names, tensor.shape
        if names:
            return not set(names) & set(shape)
        return not shape or shape[0] != self.counts.fixed

    def _given(self, made: Queries) -> dict[str, int]:
        """Open dimension -> its size in the queries."""
        return {
            str(dim): size
            for tensor in self.baseline.inputs
            for dim, size in zip(tensor.shape, made[tensor.name].shape[1:], strict=True)
            if isinstance(dim, str)
        }
