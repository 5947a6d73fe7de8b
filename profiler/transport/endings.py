"""What the signal that ended a worker says: too little memory is one cause of several."""

from __future__ import annotations

from profiler.errors import TransientError, TransportError
from profiler.transport.base import Pipe
from profiler.wire.endings import ended_by

KILLED = 9
CRASHES = (4, 6, 7, 8, 11)


class WorkerCrashed(TransportError):
    """Native code ended the worker; it would do so again."""


def killed(number: int, where: str = "") -> TransportError:
    """The error for a worker that a signal ended; `where`: " on the device", say."""
    if number == KILLED:
        return TransientError(
            f"the worker was killed{where} (signal 9)",
            hint="its memory may be too small for so many models at once: see dmesg there",
        )
    if number in CRASHES:
        return WorkerCrashed(
            f"the worker crashed{where}: {ended_by(number)}",
            hint="`profiler targets check NAME` tells its versions of onnxruntime and numpy:"
            " another one, or one built for this processor, may help",
        )
    return TransientError(f"the worker was ended{where} by {ended_by(number)}")


def ended(status: int, pipe: Pipe) -> TransportError:
    """The error for the word of a device's shell on how the worker ended."""
    if status > 128:
        return killed(status - 128, " on the device")
    why = f"the worker ended with status {status}"
    return TransportError(f"{why}: {pipe.failure().message}", kept=why)
