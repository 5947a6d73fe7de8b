"""When a process counts as warm."""

import itertools
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from profiler.wire.messages import Job, Start
from profiler.worker.blobs import BlobFolder
from profiler.worker.measuring.runner import Runner

MS = 1_000_000


def warmed(blocks: Iterator[int], tmp_path: Path, most_ns: int = 10**12) -> dict[str, Any]:
    """What is told of a process whose blocks have these medians."""
    folder = BlobFolder(tmp_path)
    runner = Runner(Job(trial="t"), folder, folder)
    runner.started = Start(load_ns=1, first_query_ns=1, steady_ns=1)

    class Backend:
        def timed(self, first: int, out: "array[int]") -> None:
            value = next(blocks)
            for place in range(len(out)):
                out[place] = value

    runner.backend = Backend()  # type: ignore[assignment]
    return runner.warm(least_ns=0, most_ns=most_ns, block_ns=10 * MS)


@pytest.mark.parametrize("fall", [0.5, 0.9, 0.95])
def test_it_goes_on_while_queries_become_faster(tmp_path: Path, fall: float) -> None:
    medians = [int(50 * MS * fall**n) for n in range(12)] + [30 * MS]
    told = warmed(iter(medians), tmp_path, most_ns=MS // 100)
    assert not told["warmup_level"]
    falling = [int(50 * MS * fall**n) for n in range(12)]
    level = [falling[-1]] * 10
    told = warmed(iter(falling + level), tmp_path)
    assert told["warmup_level"]
    assert told["typical_ns"] == falling[-1]


def test_a_machine_with_two_speeds_does_not_prolong_it(tmp_path: Path) -> None:
    """Their medians never agree, and three seconds of each process were lost in each round."""
    speeds = itertools.cycle([3 * MS, 4 * MS, 4 * MS, 3 * MS])
    told = warmed(speeds, tmp_path)
    assert told["warmup_level"]
    assert told["warmup_queries"] <= 1 + 4 * 6
