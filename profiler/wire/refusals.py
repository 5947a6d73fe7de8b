"""Why ONNX Runtime does not take a model, in plain words with the way out.

Its own messages name a source file, a function and a template; whoever exported the model needs
the numbers and the names in them. Used on the host, before anything is measured, and by the runner:
a device may have another version. Python 3.8 source, stdlib only: travels to devices.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional


class Refusal(NamedTuple):
    """What is wrong, and what to type instead."""

    message: str
    hint: str


def _ir(found: re.Match[str]) -> Refusal:
    got, most = found.groups()
    return Refusal(
        f"its IR version is {got}, this ONNX Runtime takes {most} at most",
        f"export it again with an older onnx package (or set model.ir_version = {most} and save "
        "it), or install a newer onnxruntime",
    )


def _opset(found: re.Match[str]) -> Refusal:
    got, domain, most = found.groups()
    name = "opset" if domain == "ai.onnx" else f'opset of the domain "{domain}"'
    return Refusal(
        f"its {name} is {got}, this ONNX Runtime takes {most} at most",
        f"export it again with opset {most}, or install a newer onnxruntime",
    )


def _twice(found: re.Match[str]) -> Refusal:
    return Refusal(
        f'several of its nodes are called "{found[1]}"',
        "give each its own name or none (for node in model.graph.node: node.name = '') and save it",
    )


def _operator(found: re.Match[str]) -> Refusal:
    domain, operator = found.groups()
    if domain in ("", "ai.onnx"):
        return Refusal(
            f"ONNX Runtime knows no operator {operator} in the model's opset",
            "export it again with a newer opset",
        )
    return Refusal(
        f'it uses the operator {operator} of the domain "{domain}", which ONNX Runtime does not '
        "have: it comes in a library of custom operators, and profiler loads none",
        "export it with standard operators, or define it in the model as a function",
    )


def _shared(found: re.Match[str]) -> Refusal:
    return Refusal(
        "ONNX Runtime does not open it with these session options: for"
        ' "session.x64quantprecision" = "1" no two nodes may share 8-bit weights or zero points',
        "leave the option out and use 7-bit weights, int8-static:reduce or int8-dynamic:reduce",
    )


_KNOWN = (
    (re.compile("AddInitializedOrtValue Attempt to replace the existing tensor"), _shared),
    (re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)"), _ir),
    (
        re.compile(
            r"Opset (\d+) is under development.*"
            r"official support for domain (\S+) is till opset (\d+)",
            re.DOTALL,
        ),
        _opset,
    ),
    (re.compile(r"two nodes with same node name \((.*?)\)"), _twice),
    (
        re.compile(r"Fatal error: ([^\s:]*):(\w+)\(-?\d+\) is not a registered function/op"),
        _operator,
    ),
)


def refusal(text: str) -> Optional[Refusal]:
    """What `text`, an error of ONNX Runtime, says of the model; None for any other error.

    Of several faults the last one's way out is named: a new opset's helps against a new IR, too.
    """
    found = [words(match) for pattern, words in _KNOWN if (match := pattern.search(text))]
    return Refusal(", and ".join(r.message for r in found), found[-1].hint) if found else None
