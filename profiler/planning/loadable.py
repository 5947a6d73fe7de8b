"""Models that are newer than a target's runtime: known before anything is sent there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional


class Format(NamedTuple):
    """How new a model's file is; None: written before anybody looked."""

    ir_version: Optional[int]
    opset: Optional[int]


def too_new(made: Format, facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """(why a target's runtime can't load a model, what to do); None where it may, or does not tell.

    `facts` are the target's. Both limits are the runtime's own words.
    """
    runtime = f"onnxruntime {facts.get('onnxruntime')} on the target takes"
    newest, most = facts.get("max_opset"), facts.get("max_ir")
    if made.opset is not None and newest is not None and made.opset > newest:
        return (
            f"the model is of opset {made.opset}; {runtime} {newest} at most",
            f"export it with opset {newest}, or install a newer onnxruntime there",
        )
    if made.ir_version is not None and most is not None and made.ir_version > most:
        return (
            f"the model's IR version is {made.ir_version}; {runtime} {most} at most",
            f"set model.ir_version = {most} with the onnx package and save it (its opset fits), or"
            " install a newer onnxruntime there",
        )
    return None
