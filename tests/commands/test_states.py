"""How targets stand, told with stand-ins for machine and devices."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from profiler.commands import states
from profiler.commands.states import State, at_a_glance, conclude
from profiler.errors import TransportError
from profiler.planning.lacking import Machine
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import known_targets, read_target
from profiler.transport import environment
from profiler.wire.codec import decode

AMD = Machine(system="Linux", architecture="x86_64", intel=False, gpu=False, rocm=False)
FACTS = {"onnxruntime": "1.31.1", "numpy": "2.4", "providers": ["CPUExecutionProvider"], "cores": 4}
BARE = {**FACTS, "onnxruntime": None, "numpy": None, "providers": []}
EXPECTED = {
    "ready": {
        "local-cpu", "null", "openvino-cpu", "openvino-cpu-bf16", "torch-cpu", "torch-compile",
    },
    "needs a package": {"xnnpack"},
    "needs its host": {
        "aws-graviton", "jetson-orin-nano", "raspberry-pi-4", "raspberry-pi-5", "x86-cloud",
    },
    "not for this machine": {
        "acl", "coreml", "cuda", "cuda-with-copies", "directml", "migraphx", "openvino-plugin",
        "qnn", "tensorrt", "tensorrt-rtx", "webgpu",
    },
}  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AMD machine without a GPU, with a compiler."""
    monkeypatch.setattr(states, "this_machine", lambda: AMD)
    monkeypatch.setattr(environment, "_NVIDIA_SIGNS", (str(tmp_path / "none"),))
    monkeypatch.setattr(states.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("machine")
def test_every_shipped_target_has_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer(target: Target) -> states.Answer:
        asked.append(target.name)
        return states.Answer(facts={**FACTS, "torch": "2.13"})

    monkeypatch.setattr(states, "ask", answer)
    known = [read_target(path) for path in known_targets(tmp_path).values()]
    found = dict(zip([t.name for t in known], states.states(known), strict=True))
    for state, names in EXPECTED.items():
        assert {name for name, one in found.items() if one.state == state} == names
    assert len(asked) == 1, "one interpreter is asked once"
    assert found["openvino-cpu"].reason == (
        "the first run installs onnxruntime-openvino==1.24.1, numpy"
    )
    assert "--use_xnnpack" in str(found["xnnpack"].hint)
    assert not (tmp_path / "targets").exists()
    for one in found.values():
        assert one.state == "ready" or (one.reason and one.hint)


@pytest.mark.usefixtures("machine")
def test_what_files_tell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Target(name="t", backend="torch", provider="torch-compile")
    assert at_a_glance(compiled, AMD) is None
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = at_a_glance(compiled, AMD)
    assert found is not None
    assert (found.state, "apt install g++" in str(found.hint)) == ("needs a package", True)
    packages = {"runtime": {"packages": ["numpy"]}}
    made = decode(Target, {"name": "t", **packages})
    monkeypatch.setattr(states, "is_made", lambda target, cache: True)
    assert at_a_glance(made, AMD) == State(state="ready")
    monkeypatch.undo()
    gone = at_a_glance(decode(Target, {"name": "t", "python": "/no/python", **packages}), AMD)
    assert gone is not None
    assert (gone.state, gone.reason) == ("does not answer", "/no/python: can't be started")


def test_an_interpreter_that_is_not_there_does_not_answer() -> None:
    answer = states.ask(Target(name="t", python="/no/python"))
    state = conclude(Target(name="t"), answer)
    assert state.state == "does not answer"
    assert "Python 3.8" in str(state.hint)


@pytest.mark.parametrize(
    ("more", "facts", "refused", "state", "reason"),
    [
        ({}, FACTS, None, "ready", None),
        ({}, BARE, None, "ready", "a run brings numpy and onnxruntime along: onnxruntime is not"),
        ({}, BARE, "for armv7l only", "needs a package", "for armv7l only"),
        ({"provider": "CUDAExecutionProvider"}, BARE, None, "needs a package", "can be brought"),
        ({"provider": "CUDAExecutionProvider"}, FACTS, None, "needs a package", "CUDA"),
        ({"backend": "null", "provider": "null"}, BARE, None, "ready", None),
    ],
)
def test_a_device_says_what_it_needs(
    more: dict[str, Any], facts: dict[str, Any], refused: str | None, state: str, reason: str | None
) -> None:
    target = decode(Target, {"name": "t", "transport": "ssh", "ssh": {"host": "device"}, **more})
    error = None if refused is None else TransportError(refused, hint="build it")
    found = conclude(target, states.Answer(facts=facts, not_brought=error))
    assert found.state == state
    assert (reason or "") in (found.reason or "")
    assert (found.reason is None) == (reason is None)
    assert found.state == "ready" or found.hint


def test_differences_are_told_of_a_ready_one() -> None:
    target = decode(Target, {"name": "t", "declares": {"cores": 8}})
    assert conclude(target, states.Answer(facts=FACTS)).differences == (
        "declared cores 8, found 4",
    )
