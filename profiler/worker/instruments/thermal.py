"""Heat: what a board does about it, read after every block, and a pause while it is too hot.

Sources, each optional: thermal zones with their passive trip points, where the kernel begins to
slow the processor down; cpufreq; the Raspberry Pi's firmware (`get_throttled` in sysfs, else the
command vcgencmd), whose bits are documented under "vcgencmd" in its OS documentation; and the
throttle counters of x86. `root` is / except in tests, whose files are written by hand.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from profiler.wire.messages import Thermal
from profiler.worker.instruments.counters import read_text

PI_BITS = {
    0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit",
}  # fmt: skip
"""State now; the same bits from 16 on only say that it once happened since boot."""
NEAR_CELSIUS = 3.0
"""This near to the passive trip point a block would soon be slowed down …"""
BACK_CELSIUS = 8.0
"""… so the next one waits until it is so far below."""
PAUSE_LIMIT_S = 20.0
PAUSES = 6
"""A device that does not cool down is measured as it is, and its blocks say so."""
LOOK_S = 0.5
_ASK_EVERY_NS = 100_000_000
_PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
_PROCESSOR = ("cpu", "soc", "x86_pkg", "core", "big", "little", "cluster", "package")


def _number(path: Path) -> Optional[int]:
    text = (read_text(str(path)) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def parse_throttled(text: Optional[str]) -> Optional[tuple[str, ...]]:
    """'throttled=0x50005' or '50005' -> what is limited now; None for anything else."""
    try:
        bits = int((text or "").strip().rpartition("=")[2], 16)
    except ValueError:
        return None
    return tuple(name for bit, name in PI_BITS.items() if bits >> bit & 1)


def _vcgencmd() -> Optional[str]:
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=5,
                              check=False)  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def remembered(
    ask: Callable[[], Optional[str]], clock: Callable[[], int] = time.monotonic_ns
) -> Callable[[], Optional[str]]:
    """The same, asked ten times a second at most: starting a program takes as long as a block."""
    latest: list[tuple[int, Optional[str]]] = []

    def answer() -> Optional[str]:
        now_ns = clock()
        if not latest or now_ns - latest[0][0] >= _ASK_EVERY_NS:
            latest[:] = [(now_ns, ask())]
        return latest[0][1]

    return answer


def throttled_text(root: Path = Path("/")) -> Optional[str]:
    """What a Raspberry Pi's firmware says of itself; None elsewhere."""
    return read_text(str(root / _PI)) or _vcgencmd()


class Thermometer:
    """All sources of one machine. Reading them takes some ten microseconds, vcgencmd some ms."""

    def __init__(
        self, root: Path = Path("/"), firmware: Optional[Callable[[], Optional[str]]] = None
    ) -> None:
        firmware = firmware or remembered(_vcgencmd)
        zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        named = [
            zone for zone in zones
            if any(word in (read_text(f"{zone}/type") or "").lower() for word in _PROCESSOR)
        ]  # fmt: skip
        self._zones = tuple(named or zones)
        self._trips = tuple(trip for zone in self._zones if (trip := _passive(zone)) is not None)
        self._policies = tuple(
            sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy[0-9]*"))
        )
        self._counters = tuple(
            sorted((root / "sys/devices/system/cpu").glob(
                "cpu[0-9]*/thermal_throttle/core_throttle_count"))
        )  # fmt: skip
        self._pi = root / _PI
        self._firmware: Callable[[], Optional[str]] = lambda: read_text(str(self._pi))
        if not self._pi.exists():
            self._firmware = firmware if parse_throttled(firmware()) is not None else lambda: None
        self._counted = self._count()
        self._pauses = 0

    def _count(self) -> Optional[int]:
        found = [n for path in self._counters if (n := _number(path)) is not None]
        return sum(found) if found else None

    def read(self) -> Optional[Thermal]:
        """What it is now, and whether it was throttled since the last reading; None: no source."""
        celsius = [n / 1000 for zone in self._zones if (n := _number(zone / "temp")) is not None]
        mhz = [n // 1000 for p in self._policies
               if (n := _number(p / "scaling_cur_freq")) is not None]  # fmt: skip
        reasons = parse_throttled(self._firmware())
        counted = self._count()
        if counted is not None and self._counted is not None:
            happened = counted > self._counted
            reasons = (*(reasons or ()), *(("thermal throttling",) if happened else ()))
            self._counted = counted
        if not celsius and not mhz and reasons is None:
            return None
        return Thermal(
            celsius=max(celsius) if celsius else None,
            mhz=tuple(mhz) if mhz else None,
            throttled=reasons,
            governor=self._governor(),
        )

    def _governor(self) -> Optional[str]:
        """Of the first group of cores; tools set all of them alike."""
        if not self._policies:
            return None
        return (read_text(f"{self._policies[0]}/scaling_governor") or "").strip() or None

    def wait(
        self,
        tell: Callable[[Optional[float]], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> float:
        """Pause while the processor is throttled or about to be; returns the seconds waited."""
        if not self._zones or self._pauses >= PAUSES or not self._hot(NEAR_CELSIUS):
            return 0.0
        start = clock()
        while self._hot(BACK_CELSIUS):
            if clock() - start > PAUSE_LIMIT_S:
                self._pauses += 1
                break
            tell(self.celsius())
            sleep(LOOK_S)
        self._counted = self._count()
        return clock() - start

    def celsius(self) -> Optional[float]:
        """Of the hottest of the processor's zones."""
        found = [n / 1000 for zone in self._zones if (n := _number(zone / "temp")) is not None]
        return max(found) if found else None

    def _hot(self, margin: float) -> bool:
        if set(parse_throttled(self._firmware()) or ()) - {PI_BITS[0]}:
            return True  # waiting mends no power supply
        celsius = self.celsius()
        return celsius is not None and bool(self._trips) and celsius > min(self._trips) - margin


def _passive(zone: Path) -> Optional[float]:
    """The lowest temperature at which the kernel slows this zone's processor down."""
    found = [
        value / 1000
        for kind in zone.glob("trip_point_*_type")
        if (read_text(str(kind)) or "").strip() == "passive"
        and (value := _number(kind.with_name(kind.name.replace("_type", "_temp")))) is not None
        and value > 0
    ]
    return min(found) if found else None
