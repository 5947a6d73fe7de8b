"""Every figure says where it comes from; what is not known stays unknown."""

from typing import Any

import numpy as np
import pytest

from profiler.analysis.trials.energy import columns
from profiler.analysis.trials.samples import Samples, Taken
from profiler.schema.record.plan import Trial
from profiler.wire.messages import Energy, Repetition

TRIAL = Trial(
    id="m/fp32@t/offline/b8/t1", model="m", variant="fp32", recipe="fp32", target="t",
    provider="CPUExecutionProvider", threads=1, scenario="offline", batch=8, baseline="b",
)  # fmt: skip
S = 10**9


def samples(*energies: Energy) -> Samples:
    found = Samples(trial=TRIAL.id)
    for number, energy in enumerate(energies):
        repetition = Repetition(trial=TRIAL.id, round=number, status="ok", energy=energy)
        found.taken[(0, number)] = Taken(repetition=repetition, latencies=np.ones(3, np.int64))
    return found


def asked(taken: Samples, watts: float | None = None, meter: float | None = None) -> Any:
    found = columns(TRIAL, taken, watts, 16.0, meter)
    return found.get("energy_j_per_query"), found.get("energy_label"), found.get("energy_note")


RAPL = Energy(source="RAPL", joules=10.0, window_ns=S // 2, queries=100)


def test_counters_are_added_over_rounds() -> None:
    joules, label, note = asked(samples(RAPL, RAPL, Energy(reason="RAPL stopped answering")), 99)
    assert joules == pytest.approx(0.1)
    assert label == "measured"
    assert "RAPL" in note


def test_a_window_too_short_for_the_counter() -> None:
    short = Energy(source="RAPL", joules=1.0, window_ns=S // 5, queries=100)
    joules, label, note = asked(samples(short))
    assert (joules, label) == (None, "unavailable")
    assert "200 ms" in note


def test_declared_power_is_an_estimate() -> None:
    # 16 samples a second in queries of 8: half a second a query
    none = Energy(reason="no RAPL counter")
    assert asked(samples(none), 15)[:2] == (7.5, "estimated")
    assert asked(samples(none)) == (None, "unavailable", "no RAPL counter")


def test_the_users_meter_comes_first() -> None:
    assert asked(samples(RAPL), 15, 0.25) == (0.25, "measured", "the user's meter")


def test_nothing_measured_has_no_energy() -> None:
    assert columns(TRIAL, None, 15, 16.0, None) == {}


def test_a_cards_counter_is_measured_and_says_that_it_is_the_card_alone() -> None:
    card = Energy(source="NVML", joules=200.0, window_ns=S, queries=1000)
    joules, label, note = asked(samples(card), 99)
    assert (joules, label) == (pytest.approx(0.2), "measured")
    assert note == "NVML, the GPU alone"
