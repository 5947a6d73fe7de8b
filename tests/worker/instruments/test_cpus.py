"""Which CPU the one-thread runners of a round share."""

import random

import pytest

from profiler.wire.messages import GpuOptions, Job
from profiler.worker.instruments import cpus
from profiler.worker.instruments.counters import parse_busy_ticks
from profiler.worker.instruments.cpus import draw, draw_now, solo

STAT = """cpu  30 0 12 500 9 0 1 4 0 0
cpu0 10 0 5 250 9 0 0 1 0 0
cpu1 20 0 7 250 0 0 1 3 0 0
intr 1 2 3
"""
ALIKE = [{"cpus": [0, 1, 2, 3], "capacity": None, "mhz": 3000}]
UNLIKE = [{"cpus": [0, 1], "capacity": 400}, {"cpus": [2, 3], "capacity": 1024}]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"scenario": "offline", "batch": 8}, True),
        ({"provider": "OpenVINOExecutionProvider"}, True),
        ({"threads": 2}, False),
        ({"concurrency": 2}, False),
        ({"affinity": (0, 1)}, False),
        ({"scenario": "server"}, False),
        ({"scenario": "cold_start"}, False),
        ({"provider": "CUDAExecutionProvider", "gpu": GpuOptions()}, False),
        ({"provider": "OpenVINOExecutionProvider", "device": "NPU"}, False),
        (
            {
                "provider": "OpenVINOExecutionProvider",
                "provider_options": {"device_type": "GPU"},
            },
            False,
        ),
        ({"provider": "QNNExecutionProvider"}, False),
    ],
)
def test_only_one_thread_on_the_cpu_is_kept_on_one(more, expected):
    assert solo(Job(trial="t", **more)) is expected


def test_the_draw_takes_every_idle_cpu_and_no_busy_one():
    busy = {0: 5, 1: 0, 2: 1, 3: 4}
    drawn = {draw([0, 1, 2, 3], ALIKE, busy, random.Random(seed)) for seed in range(40)}
    assert drawn == {1, 2}
    assert draw([0, 1, 2, 3], ALIKE, dict.fromkeys(range(4), 5), random.Random(0)) is not None


def test_the_cpu_is_drawn_by_the_rounds_seed(monkeypatch):
    monkeypatch.setattr(cpus, "WATCH_S", 0)
    monkeypatch.setattr(cpus, "busy_ticks", dict)
    monkeypatch.setattr(cpus, "core_groups", list)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 5})
    assert {draw_now(seed) for seed in range(20)} == {0, 1, 5}
    assert draw_now(7) == draw_now(7)


def test_no_cpu_is_drawn_from_unlike_ones():
    assert draw([0, 1, 2, 3], UNLIKE, {}, random.Random(0)) is None
    assert draw([2, 3], UNLIKE, {}, random.Random(0)) in (2, 3)
    assert draw([3], ALIKE, {}, random.Random(0)) is None
    assert draw([0, 1], [], {}, random.Random(0)) in (0, 1)


def test_busy_ticks_leave_out_idle_and_waiting():
    assert parse_busy_ticks(STAT) == {0: 16, 1: 31}
    assert parse_busy_ticks("") == {}
