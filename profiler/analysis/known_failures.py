"""Failures of other people's libraries that we have seen, and what helps against each."""

from __future__ import annotations

OPENVINO = "OpenVINOExecutionProvider"
KNOWN = (
    (
        OPENVINO,
        "the graph is not acyclic",
        "OpenVINO's provider cuts DynamicQuantizeLinear → ConvInteger into parts that depend on"
        " each other (onnxruntime-openvino 1.24.1: any dynamically quantized convolution, at every"
        " optimization level). Use int8-static on this target",
    ),
    (
        OPENVINO,
        "Supported precisions set is not available for Constant",
        "OpenVINO's code generator fails on this graph in bf16. In the target file, add"
        ' "SNIPPETS_MODE": "DISABLE" to CPU in load_config (in float, it got 7 % slower)',
    ),
)
"""(provider, part of its message, what is known)"""


def explained(reason: str, provider: str) -> str:
    """`reason`, behind what is known of it: the message itself may be a page of C++."""
    for name, part, known in KNOWN:
        if name == provider and part in reason:
            said = reason.strip()
            if len(said) > 300:
                said = "… " + said[-200:].partition(" ")[2]
            return f"{known}. It said: {said}"
    return reason
