"""A file the user brings: checked against the baseline's inputs and outputs, copied unchanged."""

from __future__ import annotations

from pathlib import Path

from profiler.errors import ModelError, VariantError
from profiler.schema.artifact import Tensor
from profiler.schema.study.variant import VariantSpec
from profiler.sources.inspect import load, tensors
from profiler.variants.graph import runs
from profiler.variants.recipe import Request

VERSION = 1


def parameters(spec: VariantSpec) -> dict[str, str]:
    """The file's name; its content is the artifact itself."""
    return {"file": Path(spec.file or "").name}


def make(request: Request) -> Path:
    """Check names, types and ranks, and that the runtime takes the file."""
    path = request.folder / (request.spec.file or "")
    try:
        model = load(path)
    except ModelError as error:
        raise VariantError(error.message, hint=error.hint) from None
    inputs, outputs = tensors(model)
    for what, wanted, found in (
        ("input", request.inputs, inputs), ("output", request.outputs, outputs),
    ):  # fmt: skip
        _same(path.name, what, wanted, found)
    runs(path, path.name)
    return path


def _same(name: str, what: str, wanted: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> None:
    there = {tensor.name: tensor for tensor in found}
    for tensor in wanted:
        if tensor.name not in there:
            raise VariantError(
                f'{name}: expected an {what} "{tensor.name}" as the baseline has, the file has '
                f"{', '.join(there)}",
                hint="rename it in the file, or make the study's model of it",
            )
        other = there[tensor.name]
        if other.dtype != tensor.dtype or len(other.shape) != len(tensor.shape):
            raise VariantError(
                f'{name}: {what} "{tensor.name}": expected {tensor.dtype} {list(tensor.shape)}, '
                f"got {other.dtype} {list(other.shape)}"
            )
    extra = [t.name for t in found if t.name not in {w.name for w in wanted}]
    if what == "input" and extra:
        raise VariantError(f'{name}: has an input "{extra[0]}" that the baseline lacks')
