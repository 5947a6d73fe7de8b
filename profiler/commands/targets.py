"""Commands about devices: targets list, add, check, clean."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.table import Table

from profiler.commands import look
from profiler.errors import InputError, TransportError, WorkerError
from profiler.planning.unusable import unusable
from profiler.schema.codec import DecodeError, encode, show
from profiler.schema.files import find_target, known_targets, read_target
from profiler.schema.ssh import PLACEHOLDER, SshSpec
from profiler.schema.target import NAME, Target, differences
from profiler.session import open_session
from profiler.transport import connect


def _facts(target: Target) -> dict[str, Any]:
    with open_session(target, provide=False) as session:
        return session.facts


def _state(target: Target) -> tuple[str, list[str]]:
    """(how it can be reached now, differences from what its file declares)."""
    if target.ssh is None:
        return "this machine", []
    if target.ssh.host == PLACEHOLDER:
        return "needs its host: see targets add", []
    try:
        facts = _facts(target)
    except (TransportError, WorkerError) as error:
        return error.message, []
    return "reachable", differences(target, facts)


def list_all(*, json: bool) -> None:
    """Print the targets there are, and whether they answer."""
    found = [read_target(path) for path in known_targets(Path.cwd()).values()]
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        states = list(pool.map(_state, found))
    if json:
        look.print_json(
            [{**encode(t), "state": state, "differences": other}
             for t, (state, other) in zip(found, states, strict=True)]
        )  # fmt: skip
        return
    shown = Table(box=None)
    for heading in ("target", "provider", "state", "description"):
        shown.add_column(heading)
    for target, (state, _) in zip(found, states, strict=True):
        provider = target.provider.removesuffix("ExecutionProvider")
        shown.add_row(target.name, provider, state, target.description)
    console = look.console()
    console.print(shown)
    for target, (_, other) in zip(found, states, strict=True):
        for text in other:
            console.print(f"{target.name}: {text}", markup=False)


def check(name: str, *, json: bool) -> None:
    """Connect to a target and print what is found there, and how ready it is for measuring.

    Prints the commands that would help and runs none. Raises TransportError.
    """
    from profiler.analysis.stability import of_machine
    from profiler.brief import describe
    from profiler.commands.check import print_findings

    target = find_target(name, Path.cwd())
    facts = _facts(target)
    other = differences(target, facts)
    if json:
        ready = encode(of_machine(facts))
        look.print_json({"target": name, "facts": facts, "differences": other, "ready": ready})
        return
    console = look.console()
    for label, text in describe(name, facts).items():
        console.print(f"{label:13} {text}", markup=False)
    for text in other:
        console.print(f"differs       {text}", markup=False)
    if target.backend == "onnxruntime" and (broken := unusable(facts)) is not None:
        console.print(f"{broken[0]}; a run brings numpy and onnxruntime along", markup=False)
        console.print(f"hint: {broken[1]}", markup=False)
    console.print()
    print_findings(of_machine(facts))


def add(name: str, address: str, options: Mapping[str, Any]) -> None:
    """Write targets/NAME.toml for a device, from what is found there."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"NAME: expected letters, digits, '.', '_' and '-', got {show(name)}",
            hint="profiler targets add pi5 --ssh pi@raspberrypi.local",
        )
    path = Path("targets") / f"{name}.toml"
    if path.exists():
        raise InputError(f"{path}: exists already", hint=f"remove it, or see: targets check {name}")
    given = {key: value for key, value in options.items() if value is not None}
    python = given.pop("python", None)
    try:
        spec = SshSpec(**{**encode(SshSpec.from_address(address)), **given})
        target = Target(name=name, transport="ssh", ssh=spec, python=python)
    except DecodeError as error:
        raise InputError(
            f"--{'ssh' if error.path in ('host', 'user', 'port') else error.path}:"
            f" expected {error.expected}, got {show(error.got)}",
            hint="--ssh [USER@]HOST[:PORT]",
        ) from None
    facts = _facts(target)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(_toml(target, facts), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror})") from None
    look.console().print(f"wrote {path}: {_machine(facts)}", markup=False)


def _machine(facts: Mapping[str, Any]) -> str:
    return f"{facts['device'] or facts['cpu'] or 'unknown'}, {facts['architecture']}"


def _toml(target: Target, facts: Mapping[str, Any]) -> str:
    def lines(values: Mapping[str, Any]) -> str:
        # A JSON string is a TOML string, too.
        return "".join(f"{key} = {jsonlib.dumps(value, ensure_ascii=False)}\n"
                       for key, value in values.items() if value is not None)  # fmt: skip

    declared = {
        "architecture": facts["architecture"],
        "cores": facts["cores"],
        "memory_gb": round(facts["memory_bytes"] / 1e9, 1) if facts["memory_bytes"] else None,
    }
    head = {"description": _machine(facts), "transport": "ssh", "python": target.python}
    assert target.ssh is not None
    default = SshSpec(host="x")
    spec = {k: v for k, v in encode(target.ssh).items() if v != getattr(default, k)}
    return f"{lines(head)}\n[ssh]\n{lines(spec)}\n[declares]\n{lines(declared)}"


def clean(name: str) -> None:
    """Remove everything of ours from a device."""
    transport = connect(find_target(name, Path.cwd()))
    try:
        transport.clean()
    finally:
        transport.close()
    look.console().print(f"{name}: nothing of ours is left there", markup=False)
