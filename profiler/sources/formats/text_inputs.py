"""Models that take text: only numbers are fed, so what makes numbers of text has to be cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.errors import ModelError
from profiler.schema.artifact import Tensor
from profiler.sources.inspect import tensor

TEXT = "str"


def refuse_text(
    path: Path, model: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
) -> None:
    """Raises ModelError for an input of text, with the line that cuts its encoding off."""
    texts = [one.name for one in inputs if one.dtype == TEXT]
    if not texts:
        return
    found = numbers_of(model, set(texts))
    hint = "export the model without the encoding of its text, and feed the numbers it gives"
    if found:
        begin = [*(one.name for one in inputs if one.dtype != TEXT), *found]
        end = [one.name for one in outputs]
        hint = (
            f'cut the encoding off: onnx.utils.extract_model("{path.name}", "numbers.onnx", '
            f"{begin}, {end}), then measure numbers.onnx"
        )
    raise ModelError(f'{path}: its input "{texts[0]}" is text; only numbers are fed', hint=hint)


def numbers_of(model: Any, texts: set[str]) -> list[str]:
    """The first tensors of numbers computed from `texts`; empty where their types aren't known."""
    import onnx

    try:
        known = onnx.shape_inference.infer_shapes(model).graph.value_info
    except Exception:  # of protobuf for more than 2 GB, and whatever an inference function raises
        return []
    types = {value.name: tensor(value).dtype for value in known}
    texts, found = set(texts), []
    for node in model.graph.node:
        if texts & set(node.input):
            texts |= {name for name in node.output if types.get(name) == TEXT}
            found += [n for n in node.output if types.get(n, "unknown") not in (TEXT, "unknown")]
            if any(types.get(name, "unknown") == "unknown" for name in node.output if name):
                return []
    return found
