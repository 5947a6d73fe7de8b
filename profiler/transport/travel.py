"""Bytes on their way to or from one device, told to a person while they travel."""

from __future__ import annotations

import time
from collections.abc import Callable

Tell = Callable[[str, float, float], None]
"""(what is under way, share that is done, seconds left)"""
EVERY_S = 0.5
QUIET_S = 1.0
"""What takes no longer is not worth a word."""
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def silent(text: str, done: float, left_s: float) -> None:
    """Tell nothing."""


class Travel:
    """One transfer after the other over one link."""

    def __init__(
        self,
        tell: Tell = silent,
        device: str = "",
        clock: Callable[[], float] = time.monotonic,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`device` is the name of the target; `note` is told once that there is a wait."""
        self._tell, self._clock, self._device = tell, clock, device
        self._note, self._noted = note, False
        self._what, self._all = "", 0
        self._first, self._next_s = 0, 0.0
        self.begun_s = 0.0
        """when the last transfer began, by `clock`: the device was ready for it"""

    def begin(self, what: str, way: str, count: int, done: int = 0) -> None:
        """`what` of `count` bytes goes `way` ("to", "from") the device, `done` of them before."""
        self._what = f"{what} {way} {self._device}".rstrip()
        self._all, self._first = count, done
        self.begun_s = self._clock()
        self._next_s = self.begun_s + QUIET_S

    def waits(self, why: str) -> None:
        """Nothing travels for now."""
        if not self._noted:
            self._noted = True
            self._note(why)

    def at(self, done: int) -> None:
        """So many bytes have arrived, those of an earlier, cut transfer included."""
        now_s = self._clock()
        if now_s < self._next_s or not self._all:
            return
        self._next_s = now_s + EVERY_S
        rate = max(1.0, (done - self._first) / (now_s - self.begun_s))
        left_s = max(0, self._all - done) / rate
        self._tell(f"{self._what}: {progress(done, self._all)}, {amount(rate)}/s",
                   min(1.0, done / self._all), left_s)  # fmt: skip


def amount(count: float) -> str:
    """'200 kB', in two digits or more."""
    factor, unit = next(((f, u) for f, u in _UNITS if count >= f), (1e3, "kB"))
    return f"{count / factor:.2g} {unit}" if count < 10 * factor else f"{count / factor:.0f} {unit}"


def progress(done: int, count: int) -> str:
    """'8 of 21 MB'."""
    factor, unit = next(((f, u) for f, u in _UNITS if count >= f), (1e3, "kB"))
    digits = 1 if count < 10 * factor else 0
    return f"{done / factor:.{digits}f} of {count / factor:.{digits}f} {unit}"
