"""The study: models, data, variants, targets, scenarios, SLO and objectives in one TOML file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, Optional, Union

from profiler.schema.device.cores import KINDS
from profiler.schema.device.target import NAME
from profiler.schema.limits import MAY_BE_EMPTY, check, durations, numbers, shares, sizes
from profiler.schema.study.data import CALLABLE, DataSpec, unique
from profiler.schema.study.scenario import LEAST_STARTS, ScenarioSpec
from profiler.schema.study.stress import StressSpec
from profiler.schema.study.variant import VariantSpec
from profiler.schema.toml import decode_file, read_toml
from profiler.units import parse_cpus
from profiler.wire.codec import DecodeError
from profiler.wire.scenarios import SCENARIOS, SINGLE_STREAM

_LIMIT = durations("1ns", "1440min")
_TIME = durations("1us", "1440min")
_SHARE = shares("0", "1000000000")
_PART = shares("0.0001%", "99.9%")
_DIMENSION = numbers(1, 2**31 - 1)
_AXIS = numbers(-64, 63, "an axis")
MOST_TRIALS = 100_000
MEMORY = sizes("1MB", "1000000GB")
"""a session alone takes some megabytes: less than one is no limit that anybody means"""


def _named(name: str) -> None:
    if not NAME.fullmatch(name):
        raise DecodeError("name", "letters, digits, '.', '_' and '-' (64 at most)", name)


def setting_name(entries: Mapping[str, object]) -> str:
    """Swept entries as a part of a trial's id: {'a.b': 'x/y'} -> 'b-x-y'."""

    def plain(value: object) -> str:
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", str(value)).strip("-")

    return "/".join(f"{plain(key.split('.')[-1])}-{plain(value)}" for key, value in entries.items())


BASELINE = VariantSpec(name="fp32")

Optimization = Literal["none", "basic", "extended", "all"]


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
    shapes: tuple[dict[str, int], ...] = field(default=(), metadata=_DIMENSION)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model: an ONNX file, or a Python callable that returns a torch.nn.Module."""

    name: str
    onnx: Optional[str] = None
    """path of the file, relative to the study file"""
    torch: Optional[str] = None
    """'module:callable', found beside the study file or installed. This imports and runs it."""
    hf: Optional[str] = None
    """a transformers config.json (random weights, drawn with the seed) or a folder with weights"""
    head: Optional[str] = None
    """hf: the task, e.g. 'sequence-classification'; default: what the config's architecture says"""
    sklearn: Optional[str] = None
    """'module:callable' that returns a fitted pipeline. This imports and runs it."""
    shapes: dict[str, int] = field(default_factory=dict, metadata=_DIMENSION)
    """values of the model's symbolic dimensions other than the batch, e.g. {sequence = 128}"""
    batch: dict[str, int] = field(default_factory=dict, metadata=_AXIS)
    """input -> its axis of samples, e.g. {x = 1} (-1 is the last); default: found by the sizes"""
    variants: tuple[VariantSpec, ...] = ()
    """default: the study's variants"""

    def __post_init__(self) -> None:
        _named(self.name)
        check(self)
        given = {key: getattr(self, key) for key in ("onnx", "torch", "hf", "sklearn")}
        given = {key: value for key, value in given.items() if value is not None}
        if len(given) != 1:
            raise DecodeError(
                "",
                'exactly one of onnx = "file.onnx", torch = "module:callable", hf = "config.json"'
                ' or sklearn = "module:callable"',
                given or None,
            )
        for key in ("torch", "sklearn"):
            if key in given and not CALLABLE.fullmatch(given[key]):
                raise DecodeError(key, '"module:callable", e.g. "models:resnet"', given[key])
        if self.head is not None and self.hf is None:
            raise DecodeError("head", 'a model with hf = "..."', self.head)
        unique("variants", [v.name for v in self.variants])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Limits a choice must keep. Missing: no limit."""

    p50: Optional[int] = field(default=None, metadata=_LIMIT)
    p90: Optional[int] = field(default=None, metadata=_LIMIT)
    p99: Optional[int] = field(default=None, metadata=_LIMIT)
    max_drop: Optional[float] = field(default=None, metadata=_SHARE)
    """largest accuracy loss against the most accurate baseline of the study, e.g. '1pp'"""
    min_accuracy: Optional[float] = field(default=None, metadata=_SHARE)
    memory: Optional[int] = field(default=None, metadata=MEMORY)

    def __post_init__(self) -> None:
        check(self)

    def check_shares(self) -> None:
        """Raise DecodeError for an accuracy above 1. A metric of the user's own has any range."""
        for key in ("max_drop", "min_accuracy"):
            value = getattr(self, key)
            if value is not None and value > 1:
                raise DecodeError(key, "a share from 0 to 1, such as '1pp', '1%' or 0.01", value)


Objective = Literal["p50", "p99", "accuracy", "throughput", "memory", "size", "cost"]


BLOCK_TIME = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSpec:
    """How long and how precisely to measure. The plan estimates the time from it."""

    precision: float = field(default=0.01, metadata=_PART)
    """stop when every interval's half-width (p50, and p50 against the reference) is below this"""
    budget: int = field(default=60 * 10**9, metadata=durations("1ms", "43200min"))
    """or when a group has taken this long"""
    min_rounds: int = field(default=4, metadata=numbers(4, 100_000))
    max_rounds: int = field(default=200, metadata=numbers(4, 100_000))
    round_time: int = field(default=500_000_000, metadata=_TIME)
    """measuring time of each trial in each round"""
    block_time: int = field(default=BLOCK_TIME, metadata=_TIME)
    """of which it is measured in one go, before another trial's turn; a shorter round_time counts
    for the default"""
    query_timeout: int = field(default=60 * 10**9, metadata=durations("1ms", "1440min"))
    memory_limit: Optional[int] = field(default=None, metadata=MEMORY)
    margin: float = field(default=0.01, metadata=_PART)
    """accuracy loss that would still be acceptable; named before the run"""
    equivalence: float = field(default=0.01, metadata=_PART)
    """latency difference too small to matter"""

    def __post_init__(self) -> None:
        check(self)
        if not self.min_rounds <= self.max_rounds:
            raise DecodeError("min_rounds", "4 <= min_rounds <= max_rounds", self.min_rounds)
        if self.block_time > self.round_time and self.block_time != BLOCK_TIME:
            raise DecodeError(
                "block_time", f"no more than round_time ({self.round_time}ns)",
                f"{self.block_time}ns",
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A campaign as the user wrote it. Paths are relative to `folder`."""

    name: str
    models: tuple[ModelSpec, ...]
    data: Optional[DataSpec] = None
    variants: tuple[VariantSpec, ...] = (BASELINE,)
    targets: tuple[str, ...] = ("local-cpu",)
    scenarios: tuple[ScenarioSpec, ...] = (ScenarioSpec(kind=SINGLE_STREAM),)
    sweep: SweepSpec = SweepSpec()
    threads: tuple[int, ...] = field(default=(), metadata=numbers(1, 4096))
    """threads inside one query (intra-op); default: all cores of the target"""
    objectives: tuple[Objective, ...] = ("p50", "accuracy")
    slo: Slo = Slo()
    measure: MeasureSpec = MeasureSpec()
    stress: Optional[StressSpec] = None
    seed: int = field(default=0, metadata=numbers(0, 2**63 - 1))
    folder: Path = field(default=Path(), init=False, compare=False)
    """where the study file lies; set by the reader"""

    def __post_init__(self) -> None:
        _named(self.name)
        check(self)
        if not self.models:
            raise DecodeError("models", "at least one [[models]] table", [])
        for key in ("variants", "targets", "scenarios", "objectives"):
            if not getattr(self, key):
                raise DecodeError(key, "at least one entry", [])
        unique("models", [m.name for m in self.models])
        unique("variants", [v.name for v in self.variants])
        unique("targets", list(self.targets))
        for scenario in self.scenarios:
            entry = SCENARIOS[scenario.kind]
            if entry.open_loop and scenario.rate == "max" and self.slo.p99 is None:
                raise DecodeError(
                    "slo.p99", f"a limit: the {scenario.kind} scenario searches the highest rate"
                    " that keeps it", None, 'add [slo] p99 = "10ms", or give the scenario a rate'
                )  # fmt: skip
            if entry.fresh:
                least = -(-LEAST_STARTS // self.measure.min_rounds)
                if scenario.starts < least:
                    raise DecodeError(
                        "scenarios.starts", f"{least} or more: {LEAST_STARTS} fresh processes in"
                        f" {self.measure.min_rounds} rounds", scenario.starts,
                    )  # fmt: skip
        for variant in self.every_variant:
            for name in variant.targets:
                if name not in self.targets:
                    raise DecodeError("variants.targets", "targets of the study", name)
        if self.stress is not None and self.stress.perturbations and self.data is None:
            raise DecodeError("stress.perturbations", "none without a [data] table", None,
                              "add [data] with the rows that are to be perturbed")  # fmt: skip
        if self.stress is not None and self.stress.perturbations and self.data is not None:
            self.data.check_stress()
        if not self.own_metric:
            try:
                self.slo.check_shares()
            except DecodeError as error:
                raise DecodeError(f"slo.{error.path}", error.expected, error.got) from None
        if self.sweep.shapes and self.data is not None:
            raise DecodeError(
                "sweep.shapes", "none beside [data]: rows have the shape they have",
                list(self.sweep.shapes), "leave [data] out; queries are then made up in each shape",
            )  # fmt: skip
        unique("threads", [str(t) for t in self.threads])
        unique("objectives", list(self.objectives))
        if (most := self._most_trials()) > MOST_TRIALS:
            raise DecodeError("", f"{MOST_TRIALS} trials at most", f"some {most}",
                              "leave out values that need not be combined")  # fmt: skip

    @classmethod
    def read(cls, path: Union[str, Path]) -> Study:
        """Read a study file. Raises StudyError naming file, key, expected and got."""
        path = Path(path)
        data = read_toml(path, "study file")
        data.setdefault("name", path.stem)
        study = decode_file(cls, data, path)
        object.__setattr__(study, "folder", path.resolve().parent)
        return study

    @property
    def own_metric(self) -> bool:
        """Whether accuracy is a metric of the user's own, in its own units."""
        return self.data is not None and self.data.metric is not None

    def _most_trials(self) -> int:
        """Models, variants, targets and settings multiplied, as the plan does."""
        sweep = (len(getattr(self.sweep, one.name)) or 1 for one in fields(SweepSpec))
        settings = sum(len(s.batch) * len(s.concurrency) * len(s.cache) for s in self.scenarios)
        variants = sum(len(self.variants_of(model)) for model in self.models)
        each = variants * settings * len(self.targets) * (len(self.threads) or 1)
        return each * math.prod(sweep)

    @property
    def every_variant(self) -> tuple[VariantSpec, ...]:
        """The study's variants and those of single models."""
        return (*self.variants, *(v for m in self.models for v in m.variants))

    def variants_of(self, model: ModelSpec) -> tuple[VariantSpec, ...]:
        """The model's own variants or the study's, the baseline always first."""
        chosen = model.variants or self.variants
        rest = tuple(v for v in chosen if v.recipe != "fp32")
        base = next((v for v in chosen if v.recipe == "fp32"), BASELINE)
        return (base, *rest)
