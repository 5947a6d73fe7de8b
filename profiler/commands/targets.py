"""Commands about devices: targets list, add, check, clean."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from profiler.commands import look, states
from profiler.devices.session import open_session
from profiler.errors import InputError
from profiler.planning.unusable import unusable
from profiler.schema.device.ssh import SshSpec
from profiler.schema.device.target import NAME, Target, differences
from profiler.schema.device.target_files import find_target, known_targets, read_target
from profiler.transport import connect
from profiler.wire.codec import DecodeError, encode, show
from profiler.wire.providers import short


def _facts(target: Target) -> dict[str, Any]:
    with open_session(target, provide=False) as session:
        return session.facts


def list_all(*, json: bool) -> None:
    """Print the targets there are, by how they stand: ready, or why not and what to type."""
    found = [read_target(path) for path in known_targets(Path.cwd()).values()]
    stand = list(zip(found, states.states(found), strict=True))
    if json:
        look.print_json([{**encode(target), **encode(state)} for target, state in stand])
        return
    console = look.console()
    width = max((len(target.name) for target in found), default=0)
    for word in states.ORDER:
        group = [(target, state) for target, state in stand if state.state == word]
        if not group:
            continue
        same = f"{word}: {states.ADD}" if word == "needs its host" else word
        console.print(same, style="bold", markup=False)
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=width + 2)
        table.add_column()
        for target, state in group:
            told = [state.reason, *state.differences]
            if word in ("needs a package", "does not answer") and state.hint:
                told.append(f"hint: {state.hint}")
            if word == "ready":
                told.insert(0, _described(target))
            elif word == "needs its host":
                told = [_described(target)]
            lines = filter(None, told)
            table.add_row(f"  {target.name}", Text("\n".join(lines)))
        console.print(table)


def _described(target: Target) -> str:
    provider = short(target.provider)
    return target.description or f"{provider}, {'over ssh' if target.ssh else 'on this machine'}"


def check(name: str, *, json: bool) -> None:
    """Connect to a target and print what is found there, and how ready it is for measuring.

    Prints the commands that would help and runs none. Raises TransportError.
    """
    from profiler.analysis.trials.stability import of_machine
    from profiler.commands.check import print_findings
    from profiler.report.brief import describe

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
