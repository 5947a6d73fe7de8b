"""Several threads that ask one session side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable


def side_by_side(count: int, lane_loop: Callable[[int], None]) -> None:
    """Call lane_loop(0) in this thread and each further lane's in one of its own; wait for all.

    Raises what the first lane that failed has raised: a thread alone would only print it, and its
    queries would count as answered.
    """
    errors: list[BaseException] = []

    def guarded(lane: int) -> None:
        try:
            lane_loop(lane)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(lane,)) for lane in range(1, count)]
    for thread in threads:
        thread.start()
    guarded(0)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
