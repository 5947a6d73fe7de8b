"""The reproducibility card: twelve things another person needs, and which of them are known.

Pure: what was recorded comes in, lines come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profiler.schema.record.recorded import Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One line of the card. `detail` says what is recorded, or what is missing."""

    name: str
    holds: bool
    detail: str


def card(
    meta: Mapping[str, Any],
    facts: Mapping[str, Mapping[str, Any]],
    artifacts: Sequence[str],
    data_sha: str | None,
    rounds: Sequence[Round],
) -> list[Point]:
    """The twelve points of a results folder.

    meta: its meta.json; facts: target -> facts; artifacts: SHA-256 of the model files; rounds:
    rows of the record, each with its seed.
    """
    taken, found = meta["fingerprint"], list(facts.values())
    git, seed = taken.get("git"), meta["study"]["seed"]

    def everywhere(key: str) -> tuple[bool, str]:
        values = [str(one[key]) for one in found if one.get(key) not in (None, "", {})]
        return bool(values) and len(values) == len(found), ", ".join(dict.fromkeys(values))

    def fact(name: str, *keys: str) -> Point:
        parts = [everywhere(key) for key in keys]
        holds = all(there for there, _ in parts)
        missing = "a target does not say it"
        return Point(name=name, holds=holds, detail="; ".join(t for _, t in parts if t) or missing)

    gpus = taken.get("gpus") or []
    drivers = ", ".join(str(gpu["driver"]) for gpu in gpus) or "no GPU on this host"
    versions, hash_seed = taken.get("versions") or {}, taken.get("hash_seed")
    clean = git is not None and not git["dirty"]
    commit = "no git checkout" if git is None else git["commit"][:12]
    seeds = {row.seed for row in rounds}
    return [
        fact("operating system and kernel", "os", "kernel"),
        fact("microcode", "microcode"),
        Point(name="GPU driver", holds=True, detail=drivers),
        Point(
            name="PYTHONHASHSEED",
            holds=hash_seed not in (None, "random"),
            detail=hash_seed or "not recorded",
        ),
        Point(
            name="deterministic variants",
            holds=True,
            detail="quantizers get sorted operators; the same request gives the same file",
        ),
        Point(
            name="seeds", holds=True, detail=f"study {seed}; each round's own seed is in its row"
        ),
        Point(
            name="git commit, without changes",
            holds=clean,
            detail=commit + (" + changes" if git is not None and git["dirty"] else ""),
        ),
        Point(
            name="versions of packages",
            holds=bool(versions),
            detail=f"{len(versions)} on which numbers depend, in meta.json"
            if versions
            else "not recorded",
        ),
        fact("temperatures", "temperatures_celsius"),
        fact("clocks", "governor", "turbo"),
        Point(
            name="SHA-256 of data and weights",
            holds=bool(artifacts),
            detail=f"{len(artifacts)} model files; data {(data_sha or 'none')[:12]}",
        ),
        Point(
            name="several seeds run",
            holds=len(seeds) > 1,
            detail=f"{len(seeds)} rounds of fresh processes, each in its own random order",
        ),
    ]
