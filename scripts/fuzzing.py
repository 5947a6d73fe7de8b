"""Runs a function on thousands of seeded cases in forked processes, and counts how each ended."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from profiler.errors import ProfilerError

Case = Callable[[random.Random, Path], Optional[bool]]
"""Makes an input in an empty folder and has it read. Returns where it was accepted, true where a
warning told of a part that was not; raises a ProfilerError where it was refused."""

OUTCOMES = ("accepted", "warned", "refused", "untidy", "traceback", "hang", "crash")
BAD = OUTCOMES[3:]
LIMIT_S = 20
"""of computing; waiting may take `_WAITS` times as long, since the machine is busy"""
_WAITS = 3
MEMORY_BYTES = 3 * 2**30
"""above what a process has when it begins"""
LONGEST_MESSAGE = 1500
_CASES_A_PROCESS = 200
_GRACE_S = 10
"""beyond its limit, for a case that does not hear the alarm"""


@dataclass
class Hang(BaseException):
    """A case took longer than it may."""


@dataclass
class Table:
    """What came of all cases."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    bad: dict[str, list[str]] = field(default_factory=dict)
    """what went wrong -> the cases that it went wrong in"""

    def add(self, kind: str, number: int, outcome: str, detail: str) -> None:
        self.counts.setdefault(kind, Counter())[outcome] += 1
        if outcome in BAD:
            self.bad.setdefault(f"{outcome}: {detail}", []).append(f"{kind}:{number}")

    def show(self) -> str:
        """The table, then what went wrong, most frequent first."""
        lines = [f"{'':24}{'cases':>9}" + "".join(f"{name:>11}" for name in OUTCOMES)]
        total: Counter[str] = Counter()
        for kind, found in [*sorted(self.counts.items()), ("all", total)]:
            total.update(found if kind != "all" else {})
            cells = "".join(f"{found[name]:>11}" for name in OUTCOMES)
            lines.append(f"{kind:24}{sum(found.values()):>9}{cells}")
        for what, cases in sorted(self.bad.items(), key=lambda item: -len(item[1])):
            lines.append(f"{len(cases):>6} × {what}\n         e.g. --only {cases[0]}")
        return "\n".join(lines)


def sweep(
    kinds: Mapping[str, Case], count: int, seed: int, jobs: int = 2, limit_s: int = LIMIT_S
) -> Table:
    """`count` cases of each kind in turn, in `jobs` processes at once. Ctrl-C ends it early."""
    names = list(kinds)
    left = deque((names[i % len(names)], i // len(names)) for i in range(count))
    table, running = Table(), []
    stopped = contextlib.suppress(KeyboardInterrupt)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, stopped:
        free = [Path(folder) / f"case{i}" for i in range(jobs)]
        while left or running:
            while left and free:
                taken = [left.popleft() for _ in range(min(_CASES_A_PROCESS, len(left)))]
                running.append(_Process(kinds, taken, seed, free.pop(), limit_s))
            readable, _, _ = select.select([p.fd for p in running], [], [], 1.0)
            for process in list(running):
                if process.fd in readable and process.hear(table):
                    continue
                if process.fd not in readable and not process.late(limit_s * _WAITS + _GRACE_S):
                    continue
                left.extendleft(reversed(process.end(table)))
                running.remove(process)
                free.append(process.folder)
    return table


def one(kinds: Mapping[str, Case], name: str, seed: int) -> None:
    """A single case, here, as it comes: for a debugger. `name` is KIND:NUMBER."""
    kind, _, number = name.partition(":")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            kinds[kind](_seeded(seed, kind, int(number)), Path(folder))
            print("accepted")
        except ProfilerError as error:
            print(f"refused: {error.message}\nhint: {error.hint}")


def arguments(parser: argparse.ArgumentParser, count: int, kinds: Mapping[str, Case]) -> None:
    """The options that every fuzzer has."""
    parser.add_argument("--count", type=int, default=count, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--kinds", default=",".join(kinds), help="some of " + ", ".join(kinds))
    parser.add_argument(
        "--limit", type=int, default=LIMIT_S, help="seconds of computing that a case may take"
    )
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one case, with its traceback")


def main(asked: argparse.Namespace, kinds: Mapping[str, Case]) -> int:
    """Do as the options ask; the exit code."""
    if asked.only is not None:
        one(kinds, asked.only, asked.seed)
        return 0
    begun = time.monotonic()
    chosen = {name: kinds[name] for name in asked.kinds.split(",")}
    table = sweep(chosen, asked.count, asked.seed, asked.jobs, asked.limit)
    done = sum(found.total() for found in table.counts.values())
    print(table.show())
    print(f"{done} inputs of seed {asked.seed} in {time.monotonic() - begun:.0f} s")
    return 1 if table.bad else 0


def _seeded(seed: int, kind: str, number: int) -> random.Random:
    return random.Random(f"{seed}/{kind}/{number}")


class _Process:
    """A child at work on some cases, one after the other."""

    def __init__(
        self, kinds: Mapping[str, Case], cases: Sequence[tuple[str, int]], seed: int,
        folder: Path, limit_s: int,
    ) -> None:  # fmt: skip
        self._left, self.folder = deque(cases), folder
        self._since, self._buffer, self._limit_s = time.monotonic(), b"", limit_s
        self.fd, there = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self.fd)
            with contextlib.suppress(BaseException):
                _work(kinds, cases, seed, folder, limit_s, there)
            os._exit(0)
        os.close(there)

    def hear(self, table: Table) -> bool:
        """Take what it tells; False at its end."""
        chunk = os.read(self.fd, 1 << 16)
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            kind, number, outcome, detail = json.loads(line)
            table.add(kind, number, outcome, detail)
            self._left.popleft()
            self._since = time.monotonic()
        return bool(chunk)

    def late(self, limit_s: float) -> bool:
        return time.monotonic() - self._since > limit_s

    def end(self, table: Table) -> list[tuple[str, int]]:
        """Make sure that it is gone; the cases that are still to do."""
        hung = self.late(self._limit_s * _WAITS + _GRACE_S)
        if hung:
            os.kill(self._pid, signal.SIGKILL)
        status = os.waitpid(self._pid, 0)[1]
        os.close(self.fd)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._left:
            kind, number = self._left.popleft()
            code = os.waitstatus_to_exitcode(status)
            table.add(kind, number, "hang" if hung else "crash", f"ended with status {code}")
        return list(self._left)


def _work(
    kinds: Mapping[str, Case], cases: Sequence[tuple[str, int]], seed: int, folder: Path,
    limit_s: int, out: int,
) -> None:  # fmt: skip
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, held + MEMORY_BYTES))

    def alarm(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGPROF, alarm)
    for kind, number in cases:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.chdir(folder)
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        signal.alarm(limit_s * _WAITS)
        outcome, detail = judged(lambda: kinds[kind](_seeded(seed, kind, number), folder))  # noqa: B023
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        os.write(out, json.dumps([kind, number, outcome, detail]).encode() + b"\n")


def judged(work: Callable[[], object]) -> tuple[str, str]:
    """(outcome, what went wrong) of a case."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            outcome, detail = ("warned" if work() else "accepted"), ""
        except ProfilerError as error:
            outcome, detail = _tidy(error)
        except Hang:
            outcome, detail = "hang", _where(sys.exc_info()[1])
        except BaseException as error:
            outcome, detail = "traceback", f"{type(error).__name__} {_where(error)}"
    if told and outcome not in BAD:
        return "untidy", f"warns: {type(told[0].message).__name__} {str(told[0].message)[:80]}"
    return outcome, detail


def _tidy(error: ProfilerError) -> tuple[str, str]:
    """A refusal is one short line without control characters; so is its hint."""
    for text in (error.message, error.hint or ""):
        if not text.isprintable() or len(text) > LONGEST_MESSAGE:
            return "untidy", f"{len(text)} characters: {text[:100]!r}"
    return "refused", ""


def _where(error: BaseException | None) -> str:
    """The innermost frame of this program, and the innermost of all."""
    frames = traceback.extract_tb(None if error is None else error.__traceback__)
    own = [f for f in frames if "/profiler/" in f.filename and "site-packages" not in f.filename]
    said = "; ".join(f"{Path(f.filename).name}:{f.lineno}" for f in (*own[-1:], *frames[-1:]))
    return f"{str(error)[:80]!r} at {said}"


# What fuzzers change.

NUMBERS = (
    0, -1, 1, 2, 7, 255, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400, 0.5, -0.5, 1e300, -1e300,
    1e-300, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "0", "-1", "²", "1e3", "9" * 400, "NaN", "inf", "0s", "1ns", "999999min", "0B", "1pp",
    "500%", "5-1", "0-999999999", "../../etc/passwd", "/dev/null", "a\0b", "\x1b[2J", "\u202e",
    "a\nb", "=1+1", "x" * 20_000, "ü", "😀", "\ud800", "high", "max", "true", "{}", "%s%n", "None",
)  # fmt: skip


def absurd(random_: random.Random, depth: int = 0) -> object:
    """Any plain value that nobody means."""
    kind = random_.randrange(8)
    if kind < 3:
        return random_.choice(NUMBERS)
    if kind < 5:
        return random_.choice(TEXTS)
    if kind == 5:
        return random_.choice((True, False, None))
    if depth > 2:
        return []
    many = random_.choice((0, 1, 2, 5))
    if kind == 6:
        return [absurd(random_, depth + 1) for _ in range(many)]
    return {str(random_.choice(TEXTS)): absurd(random_, depth + 1) for _ in range(many)}


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to every value in plain data."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from places(item, (*path, key))


def change(random_: random.Random, value: object, word: Callable[[], object]) -> object:
    """Plain data with one thing in it changed: swapped, gone, doubled, renamed, nested or moved."""
    ways = list(places(value))
    if not ways:
        return absurd(random_)
    *way, last = random_.choice(ways)
    holder: object = value
    for key in way:
        holder = holder[key]  # type: ignore[index]
    assert isinstance(holder, (dict, list))
    here = holder[last]  # type: ignore[index,call-overload]
    do = random_.randrange(10)
    if do < 4:
        holder[last] = word() if do < 3 else absurd(random_)  # type: ignore[index,call-overload]
    elif do == 4:
        del holder[last]  # type: ignore[arg-type]
    elif do == 5 and isinstance(holder, dict):
        holder[str(word())] = holder.pop(last)
    elif do == 5:
        holder.extend([here] * random_.choice((1, 1, 2, 50)))
    elif do == 6:
        holder[last] = _nested(here, random_)  # type: ignore[index,call-overload]
    elif do == 7 and isinstance(here, (int, float)) and not isinstance(here, bool):
        holder[last] = random_.choice((-here, here + 1, here * 10**9, str(here), [here]))  # type: ignore[index,call-overload]
    elif do == 8 and isinstance(here, str):
        holder[last] = random_.choice((here * 2, here[:-1], here.upper(), here + "\x07", [here]))  # type: ignore[index,call-overload]
    else:
        other = random_.choice(ways)
        there: object = value
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in other:
                there = there[key]  # type: ignore[index]
            holder[last] = json.loads(json.dumps(there))  # type: ignore[index,call-overload]
    return value


def _nested(value: object, random_: random.Random) -> object:
    for _ in range(random_.choice((1, 3, 40))):
        value = [value] if random_.random() < 0.5 else {"a": value}
    return value


def damage(random_: random.Random, data: bytes) -> bytes:
    """Bytes flipped, cut, doubled, zeroed or put in."""
    held = bytearray(data)
    for _ in range(random_.choice((1, 1, 1, 2, 4, 16))):
        if not held:
            return bytes(held)
        at = random_.randrange(len(held))
        do = random_.randrange(6)
        if do < 2:
            held[at] ^= 1 << random_.randrange(8)
        elif do == 2:
            held[at] = random_.choice((0, 255, 0x7F, 0x80, 10, 34, 44))
        elif do == 3 and random_.random() < 0.3:
            del held[at:]
        elif do == 4:
            del held[at : at + random_.choice((1, 4, 64))]
        else:
            held[at:at] = held[at : at + random_.choice((1, 8, 200))]
    return bytes(held)
