"""How each target stands now, for `targets list`: nothing is installed, and files tell where they
can.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, get_args

from profiler.devices.session import Session
from profiler.errors import EnvironmentMissing, TransportError, WorkerError
from profiler.places import cache_folder
from profiler.planning.lacking import Machine, Why, brought_lacks, elsewhere, lacks
from profiler.planning.unusable import unusable
from profiler.schema.device.ssh import PLACEHOLDER
from profiler.schema.device.target import Target, differences
from profiler.transport import connect
from profiler.transport.environment import NO_DRIVER, is_made, nvidia_driver, require_driver

Words = Literal[
    "ready", "needs a package", "needs its host", "does not answer", "not for this machine"
]
ORDER: tuple[Words, ...] = get_args(Words)
NO_HOST, ADD = "its file names no host yet", "profiler targets add NAME --ssh USER@HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`reason` says why, or what else to know; `hint` is what to type."""

    state: Words
    reason: Optional[str] = None
    hint: Optional[str] = None
    differences: tuple[str, ...] = ()
    """from what its file declares"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker said, or why there is no answer."""

    facts: dict[str, Any]
    failed: Optional[State] = None
    not_brought: Optional[TransportError] = None
    """why numpy and onnxruntime can't be brought to it; asked where it has none that works"""


def this_machine() -> Machine:
    """What the files of this machine tell."""
    try:
        vendor = "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        vendor = "Intel" in platform.processor() or platform.machine() == "x86_64"
    return Machine(
        system=platform.system(),
        architecture=platform.machine(),
        intel=vendor,
        gpu=nvidia_driver() or any(Path("/dev/dri").glob("renderD*")),
        rocm=Path("/dev/kfd").exists(),
    )


def environments() -> Path:
    """Where the environments of targets with packages of their own lie."""
    return cache_folder() / "environments"


def at_a_glance(target: Target, machine: Machine) -> Optional[State]:
    """The state of a target, where files tell it; None where its worker must be asked."""
    if target.ssh is not None:
        if target.ssh.host != PLACEHOLDER:
            return None
        return State(state="needs its host", reason=NO_HOST, hint=ADD)
    if (why := elsewhere(target, machine)) is not None:
        return State(state="not for this machine", reason=why[0], hint=why[1])
    try:
        require_driver(target)
    except EnvironmentMissing as error:
        return State(state="not for this machine", reason=NO_DRIVER, hint=error.hint)
    if (why := _no_compiler(target)) is not None:
        return State(state="needs a package", reason=why[0], hint=why[1])
    if target.backend == "null" and target.python is None:
        return State(state="ready")
    return None if target.runtime is None else _of_environment(target)


def _of_environment(target: Target) -> State:
    assert target.runtime is not None
    try:
        if is_made(target, environments()):
            return State(state="ready")
    except EnvironmentMissing as error:
        return State(state="does not answer", reason=error.message, hint=error.hint)
    packages = ", ".join(target.runtime.packages)
    return State(state="ready", reason=f"the first run installs {packages}")


def _no_compiler(target: Target) -> Optional[Why]:
    """torch.compile writes C++, which must be compiled here."""
    if target.provider != "torch-compile":
        return None
    mac = platform.system() == "Darwin"
    compiler = os.environ.get("CXX") or ("clang++" if mac else "g++")
    if shutil.which(compiler) is not None:
        return None
    return (
        f"torch.compile needs a C++ compiler; there is no {compiler}",
        "xcode-select --install" if mac else "sudo apt install g++",
    )


def ask(target: Target) -> Answer:
    """What its worker says. Nothing but the worker is brought to it."""
    try:
        transport = connect(target)
        with Session(transport, plugin=target.plugin) as session:
            refused = None
            if target.backend == "onnxruntime" and unusable(session.facts) is not None:
                try:
                    transport.require_packages()
                except TransportError as error:
                    refused = error
            return Answer(facts=session.facts, not_brought=refused)
    except (TransportError, WorkerError, EnvironmentMissing) as error:
        failed = State(state="does not answer", reason=error.message, hint=error.hint)
        return Answer(facts={}, failed=failed)


def conclude(target: Target, answer: Answer) -> State:
    """The state of a target whose worker was asked."""
    if answer.failed is not None:
        return answer.failed
    facts, other = answer.facts, tuple(differences(target, answer.facts))
    why, reason = lacks(target, facts), None
    if why is not None and target.ssh is not None and unusable(facts) is not None:
        reason = f"a run brings numpy and onnxruntime along: {why[0]}"
        why = brought_lacks(target)
        if answer.not_brought is not None:
            why = answer.not_brought.message, answer.not_brought.hint or ""
    if why is not None:
        return State(state="needs a package", reason=why[0], hint=why[1], differences=other)
    return State(state="ready", reason=reason, differences=other)


def states(targets: Sequence[Target]) -> list[State]:
    """How each stands. All are looked at, or asked, at once; one interpreter here is asked once."""
    machine = this_machine()
    with ThreadPoolExecutor(max(1, len(targets))) as pool:
        seen = list(pool.map(lambda target: at_a_glance(target, machine), targets))
        asked = {
            _question(target): target
            for target, state in zip(targets, seen, strict=True)
            if state is None
        }
        answers = dict(zip(asked, pool.map(ask, asked.values()), strict=True))
    return [
        state or conclude(target, answers[_question(target)])
        for target, state in zip(targets, seen, strict=True)
    ]


def _question(target: Target) -> tuple[Optional[str], ...]:
    """Local targets of one interpreter get one answer."""
    if target.ssh is not None:
        return (target.name,)
    return "", target.python, target.plugin
