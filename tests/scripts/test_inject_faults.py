"""The rehearsal of faults, in small: scripts/inject_faults runs 200 of them."""

from collections.abc import Callable

import pytest


@pytest.mark.timeout(290)
def test_faults_change_nothing_but_time(rehearse: Callable[..., str]) -> None:
    told = rehearse("inject_faults", "--faults", "8", "--rounds", "8", "--seed", "6")
    assert "8 faults in" in told
    assert ": 0 differ" in told
