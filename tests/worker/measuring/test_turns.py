"""Who is measured when in a round, and with which arrivals."""

import itertools
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from profiler.wire.messages import Job, RoundRequest
from profiler.worker.blobs import BlobFolder
from profiler.worker.measuring.drivers import Blocks
from profiler.worker.measuring.rounds import Round, in_cycles


def test_each_is_measured_once_a_cycle() -> None:
    turns = in_cycles({"a": 40, "b": 40, "c": 40}, random.Random(1))
    cycles = [tuple(turns[start : start + 3]) for start in range(0, 120, 3)]
    assert all(sorted(cycle) == ["a", "b", "c"] for cycle in cycles)
    assert len(set(cycles)) == 6, "in every order"
    assert turns != in_cycles({"a": 40, "b": 40, "c": 40}, random.Random(2))
    assert turns == in_cycles({"a": 40, "b": 40, "c": 40}, random.Random(1))


def test_who_has_fewer_blocks_is_spread_over_the_round() -> None:
    for seed in range(20):
        counts = {"a": 64, "b": 5, "c": 33, "d": 1}
        turns = in_cycles(counts, random.Random(seed))
        assert Counter(turns) == counts
        places = [place for place, one in enumerate(turns) if one == "b"]
        gaps = [later - earlier for earlier, later in itertools.pairwise(places)]
        assert max(gaps) < 2 * len(turns) / 5


def test_nobody_left_to_measure() -> None:
    assert in_cycles({}, random.Random(1)) == []


def seeds(number: int, tmp_path: Path) -> list[list[int]]:
    """Trial -> the seeds of its blocks in a round."""
    jobs = tuple(Job(trial=name) for name in "ab")
    request = RoundRequest(jobs=jobs, round=number, seed=1000 + number)
    one_round = Round(request, tmp_path, BlobFolder(tmp_path), lambda event: None)
    told: list[list[int]] = []
    for slot in one_round.slots:
        slot.planned, sent = Blocks(3, 1, 1.0), []
        child: Any = SimpleNamespace(ask=lambda *a, to=sent, **message: to.append(message["seed"]))
        slot.child = child
        for position in range(3):
            one_round._ask_block(slot, position)
            slot.blocks.append(None)  # type: ignore[arg-type]
        told.append(sent)
    return told


def test_trials_of_a_round_share_their_arrivals_and_rounds_do_not(tmp_path: Path) -> None:
    """A lone server trial replayed the same two streams in every round."""
    first, second = seeds(0, tmp_path), seeds(1, tmp_path)
    assert first[0] == first[1]
    assert len({*first[0], *second[0]}) == 6
