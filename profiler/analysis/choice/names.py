"""Naming a trial: without typing its whole id, and as columns of a table."""

from __future__ import annotations

from collections.abc import Collection

from profiler.errors import InputError
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.wire.codec import nearest


def find_trial(name: str, trials: Collection[str]) -> str:
    """The id meant by 'model/variant' and as many further parts as tell trials apart.

    'mlp/fp32/t2' is 'mlp/fp32@local-cpu/single_stream/b1/t2' where no other trial has these parts.
    Raises InputError with what there is.
    """
    if name in trials:
        return name
    wanted = name.split("/")
    close = [
        trial
        for trial in trials
        if trial.split("@")[0] == "/".join(wanted[:2])
        and set(wanted[2:]) <= set(trial.split("@")[-1].split("/"))
    ]
    if len(close) == 1:
        return close[0]
    some = f"which of {', '.join(close)}?" if close else nearest(name, trials)
    raise InputError(
        f"there is no single trial called {name!r} here",
        hint=some or f"trials: {', '.join(list(trials)[:6])}",
    )


def identity(trial: Trial) -> Row:
    """The columns that say which trial a row is."""
    return {
        "trial": trial.id,
        "model": trial.model,
        "variant": trial.variant,
        "recipe": trial.recipe,
        "is_baseline": trial.is_baseline,
        "target": trial.target,
        "provider": trial.provider,
        "threads": trial.threads,
        "scenario": trial.scenario,
        "batch": trial.batch,
        "concurrency": trial.concurrency,
        "cache": trial.cache,
        "gap_ns": trial.gap_ns,
        "rate": trial.rate,
        "optimization": trial.optimization,
        "affinity": trial.affinity,
        "arena": trial.arena,
        "memory_limit": trial.memory_limit,
        "shapes": " ".join(f"{name}={size}" for name, size in trial.shapes.items()),
    }
