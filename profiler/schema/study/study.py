"""The study: models, data, variants, targets, scenarios, SLO and objectives in one TOML file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Optional, Union

from profiler.schema.device.target import check_name
from profiler.schema.limits import check, numbers
from profiler.schema.study.data import DataSpec, unique
from profiler.schema.study.measure import MeasureSpec, Slo
from profiler.schema.study.metrics import METRICS
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.scenario import ScenarioSpec
from profiler.schema.study.stress import StressSpec
from profiler.schema.study.sweep import SweepSpec
from profiler.schema.study.variant import VariantSpec
from profiler.schema.toml import decode_file, read_toml
from profiler.wire.codec import DecodeError, nearest, show
from profiler.wire.scenarios import SINGLE_STREAM

MOST_TRIALS = 100_000
BASELINE = VariantSpec(name="fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A campaign as the user wrote it. Paths are relative to `folder`."""

    name: str
    models: tuple[ModelSpec, ...]
    data: Optional[DataSpec] = None
    variants: tuple[VariantSpec, ...] = (BASELINE,)
    targets: tuple[str, ...] = ("local-cpu",)
    scenarios: tuple[ScenarioSpec, ...] = (ScenarioSpec(kind=SINGLE_STREAM),)
    sweep: SweepSpec = field(default_factory=SweepSpec)
    threads: tuple[int, ...] = field(default=(), metadata=numbers(1, 4096))
    """threads inside one query (intra-op); default: all cores of the target"""
    objectives: tuple[str, ...] = ("p50", "accuracy")
    slo: Slo = field(default_factory=Slo)
    measure: MeasureSpec = field(default_factory=MeasureSpec)
    stress: Optional[StressSpec] = None
    seed: int = field(default=0, metadata=numbers(0, 2**63 - 1))
    folder: Path = field(default=Path(), init=False, compare=False)
    """where the study file lies; set by the reader"""

    def __post_init__(self) -> None:
        check_name(self.name)
        check(self)
        if not self.models:
            raise DecodeError("models", "at least one [[models]] table", [])
        for key in ("variants", "targets", "scenarios", "objectives"):
            if not getattr(self, key):
                raise DecodeError(key, "at least one entry", [])
        known = [metric.name for metric in METRICS.values() if metric.objective]
        for number, name in enumerate(self.objectives):
            if name not in known:
                expected = f"one of {', '.join(map(show, known))}"
                raise DecodeError(f"objectives[{number}]", expected, name, nearest(name, known))
        unique("models", [m.name for m in self.models])
        unique("variants", [v.name for v in self.variants])
        unique("targets", list(self.targets))
        for scenario in self.scenarios:
            scenario.check_beside(self.slo, self.measure)
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
