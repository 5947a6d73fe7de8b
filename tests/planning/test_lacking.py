"""Which targets are for other machines, and what those lack that are for this one."""

from dataclasses import replace
from pathlib import Path

import pytest

from profiler.planning.lacking import Machine, brought_lacks, elsewhere, lacks
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import find_target, known_targets

AMD = Machine(system="Linux", architecture="x86_64", intel=False, gpu=False, rocm=False)
EVERYWHERE = {"local-cpu", "null", "torch-cpu", "torch-compile", "xnnpack"}
NVIDIA = {"cuda", "cuda-with-copies", "tensorrt", "tensorrt-rtx"}
"""which `transport.environment` looks for, and not `elsewhere`"""
X86 = {"openvino-cpu", "openvino-cpu-bf16"}


@pytest.mark.parametrize(
    ("machine", "more"),
    [
        (AMD, X86 | NVIDIA),
        (replace(AMD, intel=True), X86 | NVIDIA | {"openvino-plugin"}),
        (replace(AMD, gpu=True), X86 | NVIDIA | {"webgpu"}),
        (replace(AMD, gpu=True, rocm=True), X86 | NVIDIA | {"webgpu", "migraphx"}),
        (replace(AMD, architecture="aarch64"), {"acl", "qnn"}),
        (replace(AMD, system="Darwin", architecture="arm64"), {"coreml", "acl", "qnn"}),
    ],
)
def test_each_machine_has_its_targets(machine: Machine, more: set[str]) -> None:
    known = [find_target(name, Path.cwd()) for name in known_targets(Path.cwd())]
    local = [target for target in known if target.ssh is None]
    assert len(local) > 15
    here = {target.name for target in local if elsewhere(target, machine) is None}
    assert here == EVERYWHERE | more
    for target in local:
        if (why := elsewhere(target, machine)) is not None:
            assert all(why), "a reason, and what to do"
            assert "{" not in why[0]


def test_a_vendors_index_may_have_wheels_for_other_processors() -> None:
    jetson = replace(AMD, architecture="aarch64", gpu=True)
    cuda = find_target("cuda", Path.cwd())
    assert cuda.runtime is not None
    assert "x86-64" in (elsewhere(cuda, jetson) or ("",))[0]
    own = replace(cuda, runtime=replace(cuda.runtime, extra_index="https://vendor.example"))
    assert elsewhere(own, jetson) is None
    assert elsewhere(replace(cuda, runtime=None, python="/own/python"), jetson) is None


def test_what_a_worker_found_is_enough_or_not() -> None:
    facts = {"onnxruntime": "1.31.1", "numpy": "2.4", "providers": ["CPUExecutionProvider"]}
    assert lacks(Target(name="t"), facts) is None
    assert lacks(Target(name="t"), {}) is None, "nothing is known yet"
    own = Target(name="t", provider="XnnpackExecutionProvider")
    assert "--use_xnnpack" in (lacks(own, facts) or ("", ""))[1]
    torch = Target(name="t", backend="torch", provider="torch-eager")
    assert lacks(torch, {**facts, "torch": "2.13"}) is None
    assert "torch" in (lacks(torch, {**facts, "torch": None}) or ("", ""))[1]


def test_what_can_be_brought_has_the_cpu_only() -> None:
    assert brought_lacks(Target(name="t")) is None
    other = Target(name="t", provider="ACLExecutionProvider")
    assert "ACLExecutionProvider" in (brought_lacks(other) or ("",))[0]
    own = {"transport": "ssh", "wheels": "/own"}
    assert brought_lacks(replace(other, **own)) is None, "the user's wheels may hold it"
