"""How a process ended, in words."""

from __future__ import annotations

import signal

_SIGNALS = {
    signal.SIGILL: "an instruction that this processor does not have",
    signal.SIGSEGV: "a crash of its native code",
    signal.SIGBUS: "a crash of its native code, or a file that can't be read",
}


def ended_by(number: int) -> str:
    """What a signal that ended a process stands for."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    words = {int(key): text for key, text in _SIGNALS.items()}.get(number)
    return f"{name} ({words})" if words else name
