"""Which dimension of a model counts the samples of a query, and what the open ones depend on."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from profiler.schema.artifact import Tensor

_WORD = re.compile(r"batch", re.IGNORECASE)
_LETTER = re.compile(r"^(n|b|bs|bsz|rows)$|sample", re.IGNORECASE)
_LENGTH = re.compile(
    r"seq|len|time|token|step|past|total|height|width|channel|frame|^(t|s|l|h|w)$", re.IGNORECASE
)
_MADE_UP = re.compile(r"^unk__\d+$|_dynamic_axes_\d+$")
"""names that exporters number through: equal sizes may be called differently"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How a model takes several samples: along open dimensions, or a number its file fixes."""

    names: tuple[str, ...] = ()
    """open dimensions that count samples"""
    fixed: Optional[int] = None
    """samples a query, where no dimension is open for them"""


def find_batch(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    *,
    axes: Mapping[str, int] | None = None,
    given: Collection[str] = (),
) -> Batch:
    """The dimensions that count the samples of a query.

    `axes` (input -> axis) settles it. Otherwise the dimension is one that is called like a batch,
    or the first of an input, or, behind a first axis that is none, one that all inputs and outputs
    share; never one called like a length where another is there, nor one that was `given` a size.
    A scalar, a vector or an input of fixed size beside it does not fix the batch. Where nothing
    tells several first axes apart, they all count, as rows of several columns do.
    """
    if axes:
        return _told(inputs, axes)
    names = [name for name in _plain(inputs) if not (name in given and is_length(name))]
    leading = {tensor.shape[0] for tensor in outputs if tensor.shape}
    candidates = [name for name in names if _may_count(name, inputs, outputs)]
    asked = [name for name in candidates if name not in given]
    candidates = asked or candidates
    if not candidates:
        return Batch(fixed=_fixed(inputs))

    def merit(name: str) -> tuple[bool, bool, bool, int, bool, bool, int, int]:
        places = [t.shape.index(name) for t in inputs if name in t.shape]
        return (
            bool(_WORD.search(name)), not _LENGTH.search(name), _letter_of_samples(name, inputs),
            sum(name in t.shape for t in outputs), name in leading, 0 in places,
            len(places), -min(places),
        )  # fmt: skip

    best = max(candidates, key=merit)
    if not _WORD.search(best) and _beside_fixed(best, candidates, inputs, outputs):
        return Batch(fixed=_fixed(inputs))
    alike = [
        name
        for name in candidates
        if name != best
        and not _LENGTH.search(name)
        and any(t.shape[0] == name and best not in t.shape for t in inputs if t.shape)
        and _counts_alike(name, best, inputs, outputs)
    ]
    return Batch(names=(best, *alike))


def _beside_fixed(
    best: str, candidates: Collection[str], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> bool:
    """Whether it rather is a size of a side input (boxes, words) of a model of fixed batch."""
    ranked = [tensor.shape for tensor in inputs if len(tensor.shape) > 1]
    main = [shape for shape in ranked if len(shape) == max(map(len, ranked))]
    if not ranked or set(candidates) & set(ranked[0]):
        return False
    if not (_LETTER.search(best) or _unnamed(best, inputs)):
        return True
    ends = [tensor.shape for tensor in outputs if len(tensor.shape) > 1]
    if ends and all(isinstance(shape[0], int) for shape in ends):
        return True
    return not any(set(candidates) & set(shape) for shape in main)


def is_length(name: str) -> bool:
    """Whether a dimension is called like a length, so that a size given to it is meant."""
    return bool(_LENGTH.search(name)) and not _WORD.search(name) and not _LETTER.search(name)


def _told(inputs: Sequence[Tensor], axes: Mapping[str, int]) -> Batch:
    named = {tensor.name: tensor for tensor in inputs}
    dims = [named[name].shape[axis] for name, axis in axes.items()]
    names = tuple(dict.fromkeys(dim for dim in dims if isinstance(dim, str)))
    sizes = [dim for dim in dims if isinstance(dim, int)]
    return Batch(names=names, fixed=None if names or not sizes else sizes[0])


def _plain(inputs: Iterable[Tensor]) -> list[str]:
    """Open dimensions in the order met, without those that are expressions of others."""
    every = dict.fromkeys(d for t in inputs for d in t.shape if isinstance(d, str) and d != "...")
    return [name for name in every if formula(name, every) is None]


def _may_count(name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
    """Called like a batch anywhere, on a first axis, or behind one and shared by all."""
    if _WORD.search(name):
        return True
    shapes = [tensor.shape for tensor in inputs if name in tensor.shape]
    first = any(shape[0] == name for shape in shapes)
    leads = any(t.shape[0] == name for t in outputs if t.shape)
    if is_length(name):
        return first and leads
    if first:
        return True
    # A first axis of 1 is a batch of one, and what follows a size of that sample.
    # A last axis is one of features, unless a letter says samples and outputs begin with it.
    last = leads and bool(_LETTER.search(name))
    behind = [s for s in shapes if s[0] != 1 and (last or s.index(name) < len(s) - 1)]
    if not behind:
        return False
    if _letter_of_samples(name, inputs):
        return "sample" not in name.lower() or leads
    everywhere = all(name in t.shape for t in (*inputs, *outputs) if len(t.shape) > 1)
    return leads or everywhere


def _letter_of_samples(name: str, inputs: Iterable[Tensor]) -> bool:
    """Called like samples, on a first axis or behind one that is of no samples itself."""
    firsts = {t.shape[0] for t in inputs if name in t.shape} - {name}
    steps = all(isinstance(size, int) or is_length(size) for size in firsts)
    return bool(_LETTER.search(name)) and steps


def _unnamed(name: str, inputs: Iterable[Tensor]) -> bool:
    """Whether it has no name in the file (`inspect.tensor` calls it '<tensor>.<axis>')."""
    return bool(_MADE_UP.search(name)) or any(name == f"{tensor.name}.0" for tensor in inputs)


def _counts_alike(
    name: str, best: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> bool:
    """Whether a further first axis counts samples, too."""
    if _unnamed(name, inputs):
        return True
    if _WORD.search(best) or _LETTER.search(best):
        return bool(_WORD.search(name) if _WORD.search(best) else _LETTER.search(name))
    if any(best in tensor.shape for tensor in outputs):
        return any(tensor.shape[0] == name for tensor in outputs if tensor.shape)
    return True


def _fixed(inputs: Sequence[Tensor]) -> int:
    """Samples a query of a model without an open batch: the first axis of its first matrix."""
    first = next((tensor.shape[0] for tensor in inputs if len(tensor.shape) > 1), 1)
    return first if isinstance(first, int) else 1


def formula(dim: str, known: Collection[str]) -> ast.expr | None:
    """'past + 1' as an expression of other dimensions; None for a plain name, 'batch-size' too."""
    if not any(sign in dim for sign in "+-*/"):
        return None
    try:
        tree = ast.parse(dim.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    allowed = (
        ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Name, ast.Load,
        ast.Constant,
    )  # fmt: skip
    parts = list(ast.walk(tree))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    whole = all(isinstance(p.value, int) for p in parts if isinstance(p, ast.Constant))
    if all(isinstance(part, allowed) for part in parts) and whole and names & set(known):
        return tree
    return None


def open_names(inputs: Sequence[Tensor], samples: Collection[str]) -> set[str]:
    """Dimensions that can be given a size: plain names and those inside expressions."""
    every = {d for t in inputs for d in t.shape if isinstance(d, str) and d != "..."}
    names: set[str] = set()
    for dim in every:
        tree = formula(dim, every)
        names |= (
            {dim} if tree is None
            else {p.id for p in ast.walk(tree) if isinstance(p, ast.Name)}
        )  # fmt: skip
    return names - set(samples)


def all_sizes(
    inputs: Sequence[Tensor], *, samples: Collection[str], rows: int, given: Mapping[str, int]
) -> tuple[dict[str, int], list[str]]:
    """(dimension -> size of every open one, names that were left at 1).

    What depends on others is computed: expressions ('past + seq'), and a total beside one past
    length and one sequence length.
    """
    plain = open_names(inputs, samples)
    sizes = {name: given.get(name, 1) for name in plain} | dict.fromkeys(samples, rows)
    past = [name for name in plain if "past" in name.lower()]
    totals = [name for name in plain if "total" in name.lower() and name not in past]
    lengths = [n for n in plain if "seq" in n.lower() and n not in (*past, *totals)]
    if len(past) == len(lengths) == 1:
        for name in totals:
            if name not in given:
                sizes[name] = sizes[past[0]] + sizes[lengths[0]]
    else:
        totals = []
    left = sorted(name for name in plain if name not in given and name not in totals)
    every = {d for t in inputs for d in t.shape if isinstance(d, str)}
    for dim in every - set(sizes):
        tree = formula(dim, every)
        if tree is not None:
            sizes[dim] = _value(tree, sizes)
    return sizes, left


def _value(tree: ast.expr, sizes: Mapping[str, int]) -> int:
    if isinstance(tree, ast.Constant):
        return int(str(tree.value))
    if isinstance(tree, ast.Name):
        return sizes.get(tree.id, 1)
    assert isinstance(tree, ast.BinOp)
    one, other = _value(tree.left, sizes), _value(tree.right, sizes)
    if isinstance(tree.op, ast.Add):
        return one + other
    if isinstance(tree.op, ast.Sub):
        return one - other
    if isinstance(tree.op, ast.Mult):
        return one * other
    return one // max(1, other)
