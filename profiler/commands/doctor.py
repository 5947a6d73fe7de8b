"""`targets doctor`: what a run would find on a target, bring there and lack, on one page."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from rich.table import Table
from rich.text import Text

from profiler.commands import look
from profiler.commands.progress_bar import Bar
from profiler.commands.states import at_a_glance, this_machine
from profiler.devices.link import Link, measure, travelling_bytes
from profiler.devices.session import Session
from profiler.errors import EnvironmentMissing, TransportError, WorkerError
from profiler.places import cache_folder
from profiler.planning.lacking import Why, brought_lacks, lacks
from profiler.planning.unusable import unusable
from profiler.schema.device.target import Target, differences
from profiler.schema.device.target_files import find_target
from profiler.transport import connect, helper, over_ssh, payload
from profiler.transport.ssh import wheels
from profiler.transport.travel import Tell, Travel
from profiler.units import format_duration, format_elapsed, format_size
from profiler.wire.codec import encode

MODEL_BYTES = 100_000_000
"""An example: what a model of this size would take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something to be done before a run."""

    reason: str
    hint: Optional[str] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something that a run brings."""

    what: str
    there: bool
    """whether it is there by now, so that it is not brought again"""
    bytes: Optional[int] = None
    """None: not known before it is fetched"""
    travelling_bytes: Optional[int] = None
    """what of it goes over the link, which may be compressed"""
    seconds: Optional[float] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All that was found. `facts` are empty where nobody answered."""

    target: str
    ready: bool
    missing: tuple[Missing, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    """from what its file declares"""
    brought: tuple[Part, ...] = ()
    link: Optional[Link] = None
    """None on this machine"""
    disk_needed_bytes: Optional[int] = None


def examine(name: str, *, json: bool) -> bool:
    """Print what was found; whether a run can begin. Raises StudyError for an unknown name."""
    target = find_target(name, Path.cwd())
    with Bar() as bar:
        bar.stage(f"examining {name}")
        found = examination(target, bar.note, bar.update)
    if json:
        look.print_json(encode(found))
    else:
        _print(found, target)
    return found.ready


def examination(target: Target, note: Callable[[str], None], tell: Tell) -> Examination:
    """Look at a target and the way to it. What it lacks, or that it does not answer, is a result.

    Nothing is installed; over ssh nothing stays there but the worker.
    """
    seen = at_a_glance(target, this_machine())
    if seen is not None and seen.state != "ready":
        return _lacking(target, Missing(reason=seen.reason or seen.state, hint=seen.hint))
    asked = target
    brought: tuple[Part, ...] = ()
    if seen is not None and seen.reason is not None:  # an environment that is not made yet
        asked = replace(target, runtime=None, wheels=None, plugin=None, device=None)
        brought = (Part(what=", ".join(target.runtime.packages if target.runtime else ()),
                        there=False),)  # fmt: skip
    try:
        if target.ssh is not None:
            return _of_device(target, note, tell)
        with Session(connect(asked), plugin=asked.plugin) as session:
            why = None if brought else lacks(target, session.facts)
            return _found(target, session.facts, why, brought=brought)
    except (TransportError, WorkerError, EnvironmentMissing) as error:
        return _lacking(target, Missing(reason=error.message, hint=error.hint))


def _lacking(target: Target, missing: Missing) -> Examination:
    return Examination(target=target.name, ready=False, missing=(missing,))


def _found(
    target: Target,
    facts: dict[str, Any],
    why: Optional[Why],
    missing: Iterable[Missing] = (),
    **more: Any,
) -> Examination:
    lacking = (*missing, *(() if why is None else (Missing(reason=why[0], hint=why[1]),)))
    return Examination(
        target=target.name, ready=not lacking, missing=lacking, facts=facts,
        differences=tuple(differences(target, facts)), **more,
    )  # fmt: skip


def _of_device(target: Target, note: Callable[[str], None], tell: Tell) -> Examination:
    travel = Travel(tell, target.name, note=note)
    transport = over_ssh(target, travel)
    with Session(transport, plugin=target.plugin, note=note) as session:
        facts, link = session.facts, measure(session, travel)
        parts = [
            Part(what="worker", there=not session.sent_bytes, bytes=len(payload.build()[0]),
                 seconds=link.seconds(session.sent_bytes))
        ]  # fmt: skip
        if target.backend != "onnxruntime" or unusable(facts) is None:
            return _found(target, facts, lacks(target, facts), brought=tuple(parts), link=link)
        note("making numpy and onnxruntime ready, as the device has none that works")
        missing, needed = [], None
        try:
            packages = transport.packages(cache_folder() / "wheels")
        except TransportError as error:
            missing.append(Missing(reason=error.message, hint=error.hint))
        else:
            part, needed = _packages(packages, session, link)
            parts.append(part)
            missing += _too_full(facts, needed)
        return _found(target, facts, brought_lacks(target), missing, brought=tuple(parts),
                      link=link, disk_needed_bytes=needed)  # fmt: skip


def _packages(archive: Path, session: Session, link: Link) -> tuple[Part, Optional[int]]:
    """The archive as a part, and the disk space that it takes there, unpacked as well."""
    versions = wheels.shipped(archive)
    what = " and ".join(f"{name} {told.split()[0]}" for name, told in sorted(versions.items()))
    size = archive.stat().st_size
    if not session.missing([helper.digest(archive).hexdigest()]):
        return Part(what=what, there=True, bytes=size), None
    with zipfile.ZipFile(archive) as packed:
        unpacked = sum(member.file_size for member in packed.infolist())
    count = travelling_bytes(archive, link)
    part = Part(what=what, there=False, bytes=size, travelling_bytes=count,
                seconds=link.seconds(count))  # fmt: skip
    return part, size + unpacked + helper.RESERVE_BYTES


def _too_full(facts: Mapping[str, Any], needed: Optional[int]) -> list[Missing]:
    free = facts.get("disk_free_bytes")
    if needed is None or free is None or free >= needed:
        return []
    return [
        Missing(
            reason=f"its disk is too full: {format_size(needed)} are needed for what is brought,"
            f" {format_size(free)} are free",
            hint="free some space there, or set folder under [ssh] to one on another disk",
        )
    ]


def _print(found: Examination, target: Target) -> None:
    console = look.console()
    console.print(f"{found.target}: {'ready' if found.ready else 'not ready'}", style="bold")
    sections = {
        "what is there": _there(found, target) if found.facts else {},
        "what a run brings": dict(_brought(found)),
        "the link": _link(found.link),
        "what is missing": {
            str(number): one.reason + (f"\nhint: {one.hint}" if one.hint else "")
            for number, one in enumerate(found.missing, 1)
        },
    }
    for title, lines in sections.items():
        if not lines:
            continue
        console.print(title, style="bold")
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=13)
        table.add_column()
        for label, text in lines.items():
            table.add_row(Text(f"  {label}"), Text(text))
        console.print(table)


def _there(examined: Examination, target: Target) -> dict[str, str]:
    facts = examined.facts
    machine = (facts["device"] or facts["cpu"], facts["architecture"],
               f"{facts['usable_cores']} of {facts['cores']} cores usable",
               f"{format_size(facts['memory_bytes'])} memory")  # fmt: skip
    cards = [card["name"] or "a GPU without a name" for card in facts["gpus"]]
    energy = "NVML, of the card" if target.gpu and cards else facts.get("energy_source")
    told = {
        "device": ", ".join(filter(None, machine)),
        "GPU": ", ".join(cards),
        "system": ", ".join(filter(None, (facts["os"], facts["kernel"], facts["libc"]))),
        "python": facts["python"],
        "onnxruntime": _library(facts, "onnxruntime"),
        "numpy": _library(facts, "numpy"),
        "providers": ", ".join([*facts["providers"], *facts.get("plugin_providers", ())]),
        "torch": facts["torch"] or "none" if target.backend == "torch" else "",
        "disk": f"{format_size(facts.get('disk_free_bytes'))} free"
        + (
            f", {format_size(examined.disk_needed_bytes)} needed"
            if examined.disk_needed_bytes
            else ""
        ),
        "energy": energy or f"not available: {facts.get('energy_missing') or 'no counter'}",
        "heat": ", ".join(facts.get("heat_sources", ())) or "not available",
        "differs": "\n".join(examined.differences),
    }
    return {label: text for label, text in told.items() if text}


def _library(facts: Mapping[str, Any], name: str) -> str:
    error = facts.get(f"{name}_error")
    return facts[name] or (f"can't be used: {error}" if error else "none")


def _brought(found: Examination) -> Iterable[tuple[str, str]]:
    for part in found.brought:
        size = format_size(part.bytes)
        if part.what == "worker":
            came = "there already" if part.there else "brought just now"
            yield (
                "worker",
                (f"{size}, {came}; it stays until profiler targets clean {found.target}"),
            )
        elif part.bytes is None:
            yield "packages", f"{part.what}, installed from the package index by itself"
        elif part.there:
            yield "packages", f"{part.what}: {size}, there already"
        else:
            travels = part.travelling_bytes or part.bytes
            if travels < part.bytes:
                size = f"{size}, {format_size(travels)} compressed"
            yield "packages", f"{part.what}: {size}, about {_seconds(part.seconds)}"


def _link(link: Optional[Link]) -> dict[str, str]:
    if link is None:
        return {}
    rate = link.bytes_per_s
    measured = f"{format_size(rate)}/s, measured with 1 MB" if rate else "more than 50 MB/s"
    return {
        "round trip": format_duration(link.round_trip_s * 1e9),
        "throughput": f"{measured}; a model of 100 MB takes {'about' if rate else 'at most'}"
        f" {_seconds(link.seconds(MODEL_BYTES))}",
    }


def _seconds(seconds: Optional[float]) -> str:
    if seconds is None or seconds < 10:
        return format_duration(None if seconds is None else seconds * 1e9)
    return format_elapsed(seconds)
