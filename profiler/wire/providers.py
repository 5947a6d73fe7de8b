"""Every execution provider that is known here. A new one is an entry and a file in targets/.

A provider that is not in the table is measured, too, as one of which nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
OPENVINO, XNNPACK = "OpenVINOExecutionProvider", "XnnpackExecutionProvider"
ARM, X86 = ("aarch64", "arm64"), ("x86_64", "AMD64")
_RUNTIME_GPU = "'onnxruntime-gpu[cuda,cudnn]'"


@dataclass(frozen=True)
class Place:
    """Where alone a provider runs, and what is said elsewhere."""

    absent: str
    """why not here; {system} and {architecture} are this machine's"""
    advice: str
    system: Optional[str] = None
    """Linux, Darwin or Windows"""
    architectures: tuple[str, ...] = ()
    """the processors; empty: any"""
    driver: Optional[str] = None
    """'gpu' (any) or 'rocm' (AMD's for computing)"""


@dataclass(frozen=True)
class Provider:
    """What is known of one execution provider."""

    name: str
    """ONNX Runtime's own"""
    target: Optional[str] = None
    """the file in targets/ that installs it"""
    packages: Optional[str] = None
    """what pip installs to have it; None: no wheel of it is published"""
    build: Optional[str] = None
    """the option of onnxruntime's build script, where that is the only way"""
    on_cpu: bool = False
    """it computes on the CPU alone unless another device is named: one-thread trials share a CPU"""
    brought: bool = False
    """in the wheels that are brought to devices"""
    nvidia: bool = False
    """needs NVIDIA's driver"""
    gpu_options: bool = False
    """takes the target's [gpu] table"""
    half: bool = False
    """fp16 is what suits it"""
    only_x86_wheels: bool = False
    """its packages in the usual index are for x86-64"""
    place: Optional[Place] = None
    failures: tuple[tuple[str, str], ...] = ()
    """(part of its message, what is known of that failure and what helps)"""


_KNOWN = (
    Provider(CPU, target="local-cpu", on_cpu=True, brought=True),
    Provider("torch-eager", target="torch-cpu", on_cpu=True),
    Provider("torch-compile", target="torch-compile", on_cpu=True),
    Provider(
        OPENVINO,
        target="openvino-cpu",
        packages="onnxruntime-openvino",
        on_cpu=True,
        only_x86_wheels=True,
        failures=(
            (
                "the graph is not acyclic",
                "OpenVINO's provider cuts DynamicQuantizeLinear → ConvInteger into parts that"
                " depend on each other (onnxruntime-openvino 1.24.1: any dynamically quantized"
                " convolution, at every optimization level). Use int8-static on this target",
            ),
            (
                "Supported precisions set is not available for Constant",
                "OpenVINO's code generator fails on this graph in bf16. In the target file, add"
                ' "SNIPPETS_MODE": "DISABLE" to CPU in load_config (in float, it got 7 % slower)',
            ),
        ),
    ),
    Provider(XNNPACK, build="--use_xnnpack", on_cpu=True),
    Provider("DnnlExecutionProvider", build="--use_dnnl"),
    Provider(
        CUDA,
        target="cuda",
        packages=_RUNTIME_GPU,
        nvidia=True,
        gpu_options=True,
        half=True,
        only_x86_wheels=True,
    ),
    Provider(
        TENSORRT,
        target="tensorrt",
        packages=f"{_RUNTIME_GPU} 'tensorrt-cu13<11'",
        nvidia=True,
        gpu_options=True,
        half=True,
        only_x86_wheels=True,
    ),
    Provider("NvTensorRTRTXExecutionProvider", nvidia=True, only_x86_wheels=True),
    Provider(
        "MIGraphXExecutionProvider",
        target="migraphx",
        packages="onnxruntime-migraphx",
        only_x86_wheels=True,
        place=Place(
            driver="rocm",
            absent="this machine has no AMD GPU with ROCm's driver (no /dev/kfd)",
            advice="run it on a machine with an AMD GPU and ROCm",
        ),
    ),
    Provider(
        "QNNExecutionProvider",
        target="qnn",
        packages="onnxruntime onnxruntime-qnn",
        place=Place(
            architectures=ARM,
            absent="Qualcomm's NPU is a part of aarch64 processors; this one is {architecture}",
            advice="run it on a machine with a Snapdragon",
        ),
    ),
    Provider(
        "WebGpuExecutionProvider",
        target="webgpu",
        packages="onnxruntime onnxruntime-ep-webgpu",
        only_x86_wheels=True,
        place=Place(
            driver="gpu",
            absent="this machine has no driver of a GPU (no /dev/dri/renderD128)",
            advice="run it on a machine with a GPU and its Vulkan driver",
        ),
    ),
    Provider(
        "ACLExecutionProvider",
        build="--use_acl",
        place=Place(
            architectures=ARM,
            absent="the Arm Compute Library is for aarch64 processors; this one is {architecture}",
            advice="run it on an aarch64 Linux machine, with a build of onnxruntime that has it"
            " (--use_acl)",
        ),
    ),
    Provider(
        "CoreMLExecutionProvider",
        place=Place(
            system="Darwin",
            absent="CoreML is a part of macOS; this machine runs {system}",
            advice="run it on a Mac",
        ),
    ),
    Provider(
        "DmlExecutionProvider",
        place=Place(
            system="Windows",
            absent="DirectML is a part of Windows; this machine runs {system}",
            advice="on Windows, targets cuda and openvino-cpu run inside WSL",
        ),
    ),
)
PROVIDERS = {one.name: one for one in _KNOWN}
"""ONNX Runtime's name -> what is known"""


def known(name: str) -> Provider:
    """What is known of a provider, by ONNX Runtime's name of it."""
    return PROVIDERS.get(name) or Provider(name)


def short(name: str) -> str:
    """'CUDA', as tables call it."""
    return name[: -len("ExecutionProvider")] if name.endswith("ExecutionProvider") else name
