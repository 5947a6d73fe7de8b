"""What heat, power supply and clock rules did to a run, said by `check`."""

from typing import Any

import numpy as np

from profiler.analysis.trials import heat, stability
from profiler.analysis.trials.samples import Samples, Taken
from profiler.wire.messages import Block, Repetition, Thermal


def samples(target: str, *readings: Thermal | None) -> dict[str, Samples]:
    trial = f"m/fp32@{target}/single_stream/b1/t1"
    one = Samples(trial=trial)
    for number, thermal in enumerate(readings):
        block = Block(position=0, queries=1, wall_ns=10**9, cpu_ns=10**9, thermal=thermal)
        repetition = Repetition(trial=trial, round=number, status="ok", blocks=(block,))
        one.taken[(0, number)] = Taken(repetition=repetition, latencies=np.array([1]))
    return {trial: one}


def told(*readings: Thermal | None, **more: Any) -> list[str]:
    return [text for _, text, _ in heat.told(samples("pi5", *readings, **more))]


def test_a_calm_board_and_one_that_tells_nothing() -> None:
    assert told(Thermal(celsius=50.0, before_celsius=49.0, throttled=()), None) == []
    assert told(None) == []


def test_limits_are_counted_with_what_helps() -> None:
    held = Thermal(throttled=("under-voltage", "throttled"))
    found = heat.told(samples("pi5", held, Thermal(throttled=("throttled",)), Thermal()))
    assert [(level, text) for level, text, _ in found] == [
        ("problem", "pi5: throttled in 2 of 3 blocks"),
        ("problem", "pi5: under-voltage in 1 of 3 blocks"),
    ]
    assert "power supply" in found[1][2]


def test_a_governor_that_changed_in_mid_run() -> None:
    first, then = Thermal(governor="performance"), Thermal(governor="ondemand")
    assert told(first, first) == []
    (text,) = told(first, then)
    assert text == "pi5: the CPU governor changed during the run: ondemand and performance"


def test_heat_before_and_after() -> None:
    warm = Thermal(before_celsius=48.0, celsius=49.0)
    assert told(warm, Thermal(before_celsius=55.0, celsius=57.0)) == []
    (text,) = told(warm, Thermal(before_celsius=60.0, celsius=63.0))
    assert text == "pi5: its temperature went from 48 to 63 °C during the run"


def test_two_devices_are_not_one() -> None:
    both = samples("pi5", Thermal(celsius=40.0)) | samples("orin", Thermal(celsius=60.0))
    assert heat.told(both) == []


def test_check_says_it() -> None:
    one = samples("pi5", Thermal(throttled=("under-voltage",)))
    found = stability.of_results([], one, 0.01)
    assert any("under-voltage in 1 of 1 blocks" in finding.text for finding in found)
    ready = stability.of_machine(
        {"governor": "performance", "power_mode": "15W (0)",
         "throttled_since_boot": ["under-voltage"]}
    )  # fmt: skip
    texts = {finding.text: finding.advice for finding in ready}
    assert "nvpmodel -m 0" in str(texts["the power mode is 15W (0)"])
    since = "its clock was limited since it was switched on: under-voltage"
    assert "power supply" in str(texts[since])
