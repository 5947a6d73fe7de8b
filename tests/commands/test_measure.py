"""How `run` ends."""

from types import SimpleNamespace

import pytest

from profiler.commands.measure import refuse_failed
from profiler.errors import WorkerError

FAILED = {"trial": "m/fp32", "status": "failed", "reason": "crashed: signal 11"}


def test_a_run_of_which_every_trial_failed_is_no_success() -> None:
    excluded = {**FAILED, "status": "excluded"}
    with pytest.raises(WorkerError, match=r"every trial failed.*m/fp32: crashed") as caught:
        refuse_failed(SimpleNamespace(rows=[excluded, FAILED]))
    assert caught.value.exit_code == 3
    refuse_failed(SimpleNamespace(rows=[FAILED, {**FAILED, "status": "ok"}]))
