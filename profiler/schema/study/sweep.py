"""What a study sweeps: session settings, of which every value is its own trial."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from profiler.schema.device.cores import KINDS
from profiler.schema.limits import DIMENSION, MAY_BE_EMPTY, MEMORY, check
from profiler.schema.study.data import unique
from profiler.units import parse_cpus
from profiler.wire.codec import DecodeError

Optimization = Literal["none", "basic", "extended", "all"]


def setting_name(entries: Mapping[str, object]) -> str:
    """Swept entries as a part of a trial's id: {'a.b': 'x/y'} -> 'b-x-y'."""

    def plain(value: object) -> str:
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", str(value)).strip("-")

    return "/".join(f"{plain(key.split('.')[-1])}-{plain(value)}" for key, value in entries.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSpec:
    """Session settings of which every value is its own trial."""

    optimization: tuple[Optimization, ...] = ("all",)
    """graph optimization level"""
    affinity: tuple[str, ...] = field(default=("",), metadata=MAY_BE_EMPTY)
    """CPUs the process may use, e.g. ["0", "0-1"], or their kind by each target's facts: "big",
    "little", "all"; empty text: as the worker finds it (one thread shares a CPU drawn a round)"""
    arena: tuple[bool, ...] = (True,)
    """onnxruntime: whether freed memory is kept for the next query (true) or given back"""
    memory_limit: tuple[str, ...] = field(default=("",), metadata=MAY_BE_EMPTY)
    """sizes that a trial has to fit in, e.g. ["256MB", "512MB"]; empty text: no limit of its own"""
    session_options: tuple[dict[str, str], ...] = field(default=(), metadata=MAY_BE_EMPTY)
    """sets of ONNX Runtime session config entries, added to the target's own"""
    provider_options: tuple[dict[str, str], ...] = field(default=(), metadata=MAY_BE_EMPTY)
    """sets of options of the execution provider, added to the target's own; the CPU has none"""
    shapes: tuple[dict[str, int], ...] = field(default=(), metadata=DIMENSION)
    """sizes of symbolic dimensions, added to the model's own; a model without them ignores them"""

    def __post_init__(self) -> None:
        check(self)
        for key in ("optimization", "affinity", "arena", "memory_limit"):
            if not getattr(self, key):
                raise DecodeError(key, "at least one entry", [])
        for text in self.affinity:
            try:
                parse_cpus("" if text in KINDS else text)
            except ValueError as error:
                expected = f"{error}; or {', '.join(KINDS)}"
                raise DecodeError("affinity", expected, text) from None
        unique("optimization", list(self.optimization))
        unique("affinity", list(self.affinity))
        unique("arena", [str(kept) for kept in self.arena])
        unique("memory_limit", list(self.memory_limit))
        for key in ("session_options", "provider_options", "shapes"):
            unique(key, [setting_name(entries) for entries in getattr(self, key)])
        for text in filter(None, self.memory_limit):
            try:
                MEMORY["parse"](text)
            except ValueError:
                raise DecodeError("memory_limit", MEMORY["expected"], text) from None
