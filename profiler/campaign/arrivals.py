"""What came from a device as a file: latencies and predictions are checked where they arrive.

Nothing in them is believed: a file that is not what its reply promised is the device's failure, in
one line. All raise WorkerError, and what `Session.fetch` raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality import usable
from profiler.devices.session import Session
from profiler.errors import DataError, WorkerError
from profiler.schema.device.replies import MOST_NS
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.data import DataSpec
from profiler.store import arrays
from profiler.store import timings as raw
from profiler.store.files import incoming
from profiler.wire.codec import show
from profiler.wire.messages import Block, Repetition

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Awaited:
    """What predictions must be to be judged later."""

    spec: DataSpec
    rows: int
    labels: Array | None

    @classmethod
    def of(cls, spec: DataSpec | None, evaluation: Evaluation | None, folder: Path) -> Awaited:
        """Those of a study, whose rows are kept in its results folder."""
        if spec is None or evaluation is None:
            return cls(spec=DataSpec(file="none"), rows=0, labels=None)
        rows, labels = arrays.count(folder, evaluation), arrays.labels(folder, evaluation, spec)
        return cls(spec=spec, rows=rows, labels=labels)


def of_round(
    session: Session, folder: Path, repetitions: Sequence[Repetition], awaited: Awaited
) -> dict[str, raw.Timings]:
    """Timings of the good repetitions; predictions go into the results `folder` by content."""
    timings = {}
    for one in repetitions:
        if one.latencies is not None:
            timings[one.trial] = raw.Timings(
                latencies=_times(session, folder, one.latencies, one.blocks),
                services=_times(session, folder, one.services, one.blocks)
                if one.services
                else None,
            )
        if one.outputs:
            _keep(session, folder, one, awaited)
    return timings


def _keep(session: Session, folder: Path, one: Repetition, awaited: Awaited) -> None:
    spec = awaited.spec
    check_names(one.trial, one.outputs, spec.named)
    found = {}
    for name, sha in one.outputs.items():
        path, what = folder / "outputs" / f"{sha}.npy", f"{one.trial}: {name}"
        if not path.exists():
            with incoming(folder) as place:
                session.fetch(sha, place)
                predictions(place, awaited.rows, what)
                place.replace(path)
        found[name] = predictions(path, awaited.rows, what)  # it may name any file that is there
    try:
        usable.check(found, spec, awaited.labels)
    except DataError as error:
        raise WorkerError(
            f"{one.trial}: its predictions can't be judged: {error}", hint=error.hint
        ) from None


def _times(
    session: Session, folder: Path, sha: str, blocks: Sequence[Block]
) -> npt.NDArray[np.int64]:
    import numpy as np

    count = sum(block.queries for block in blocks)
    with incoming(folder) as place:
        session.fetch(sha, place, 8 * count)
        whole = place.stat().st_size == 8 * count
        found = np.fromfile(place, dtype="<i8")
    if not whole or found.min() < 1 or found.max() > MOST_NS:
        raise WorkerError(
            f"round: expected {count} latencies above 0 ns, as its blocks say; what came is"
            " something else"
        )
    return found


def check_names(trial: str, outputs: Mapping[str, str], judged: Sequence[str]) -> None:
    """Refuse predictions in which an output is missing that is to be judged."""
    for name in judged:
        if name not in outputs:
            there = ", ".join(map(show, outputs)) or "none"
            raise WorkerError(f"{trial}: no predictions of {show(name)} came back (but {there})")


def predictions(path: Path, rows: int, what: str) -> Array:
    """The array in a file that came: numbers, one entry a row; mapped, not read.

    `what` names it in messages.
    """
    import numpy as np

    try:
        values: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        fits = values.dtype.kind in "biuf" and values.ndim > 0 and len(values) == rows
        got = f"{values.dtype} of shape {show(list(values.shape))}"
    except Exception:  # whatever a header leads to that numpy evaluates
        fits, got = False, "something else"
    if not fits:
        raise WorkerError(f"{what}: expected predictions of {rows} rows as numbers, got {got}")
    return values
