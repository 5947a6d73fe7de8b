"""All variants of one model: one that can't be made is a reason, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import VariantError
from profiler.progress import Progress
from profiler.schema.artifact import Artifact
from profiler.schema.study.variant import VariantSpec
from profiler.variants.checks.answer import ask
from profiler.variants.making.build import build

if TYPE_CHECKING:
    import numpy as np

Key = tuple[str, str]
"""(model, variant)"""


def build_all(
    baseline: Artifact,
    specs: Iterable[VariantSpec],
    progress: Progress,
    *,
    root: Path,
    folder: Path,
    calibration: dict[str, np.ndarray[Any, Any]] | None,
    query: Mapping[str, np.ndarray[Any, Any]],
    seed: int,
    cache: Path,
) -> tuple[dict[Key, Artifact], dict[Key, str]]:
    """(what was made, why the rest could not be); arguments as those of `build`.

    A variant that does not answer `query` (input -> array), or answers as the baseline does, bit
    for bit, is not made.
    """
    wanted = list(specs)
    asked = None
    if any(spec.recipe != "fp32" for spec in wanted):
        asked = ask(root / baseline.path, query)
    made: dict[Key, Artifact] = {}
    failed: dict[Key, str] = {}
    for spec in wanted:
        key = (baseline.model, spec.name)
        if spec.recipe == "fp32":
            made[key] = replace(baseline, variant=spec.name)
            continue
        progress.stage(f"making {baseline.model} {spec.name}")
        try:
            made[key] = build(
                baseline, spec, root=root, folder=folder, calibration=calibration, seed=seed,
                cache=cache, asked=asked,
            )  # fmt: skip
        except VariantError as error:
            failed[key] = error.message + (f" ({error.hint})" if error.hint else "")
            progress.note(f"{baseline.model} {spec.name}: {failed[key]}")
    return made, failed
