"""The rehearsal of faults, in small: scripts/inject_faults runs 200 of them."""

from collections.abc import Callable

import pytest


@pytest.mark.timeout(290)
def test_faults_change_nothing_but_time(rehearse: Callable[..., str]) -> None:
    # One of each: vanishes while it connects, cut in staging and in results, killed in both.
    told = rehearse("inject_faults", "--faults", "5", "--rounds", "5", "--seed", "6")
    assert "5 faults in" in told
    assert ": 0 differ" in told
