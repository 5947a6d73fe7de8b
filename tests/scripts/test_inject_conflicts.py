"""Runs in each other's way, in small: scripts/inject_conflicts has more of them and more kinds."""

from collections.abc import Callable

import pytest


@pytest.mark.timeout(290)
def test_two_hosts_on_one_device_lose_and_mix_nothing(rehearse: Callable[..., str]) -> None:
    told = rehearse("inject_conflicts", "--times", "1", "--rounds", "4", "--kind", "two hosts")
    (row,) = [line for line in told.splitlines() if line.startswith("two hosts")]
    assert row.split()[2:] == ["1", "16", "0", "0", "0", "0", "0", "0"]
    assert told.rstrip().endswith(": 0 wrong")
