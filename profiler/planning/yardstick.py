"""Beside which trials the yardstick is measured, and in which rounds."""

from __future__ import annotations

from profiler.schema.device.target import Target
from profiler.wire import providers

FIRST = 4
MANY = 6
"""Beside so many trials its process is a small part of a round."""


def fits(target: Target) -> bool:
    """Whether a yardstick tells of the target: of a GPU it would tell how fast its host is."""
    device = target.device or target.provider_options.get("device_type", "CPU")
    on_cpu = providers.known(target.provider).on_cpu and device == "CPU"
    return target.backend == "onnxruntime" and on_cpu


def due(round_number: int, trials: int) -> bool:
    """Whether it is measured in this round: beside few trials in the first four, which an interval
    takes, and then in every fourth, so that it takes some 3 % of the time."""
    return trials >= MANY or round_number < FIRST or round_number % FIRST == 0
