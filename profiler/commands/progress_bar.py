"""What a person sees while a campaign works: one line with the share done and the time left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.segment import Segment

from profiler.units import format_elapsed
from profiler.wire.outside import printable

REDRAWN_PER_S = 2
"""On a terminal: each drawing takes 2 ms from the cores that are measured."""
SAY_EVERY_S = 30.0
"""Where there is no terminal to draw on, a line this often."""


class Screen(Console):
    """A terminal that obeys us alone: what a text holds is shown, not done.

    Texts come from files and devices; a rich console lets escape sequences in them through.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            if control is None and not text.isprintable():
                lines = map(printable, text.split("\n"))
                yield Segment("\n".join(lines), style)
            else:
                yield segment


def json_text(value: Any) -> str:
    """JSON to be read: letters beyond ASCII as they are, what would act on a terminal escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(
        line if line.isprintable()
        else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
        for line in text.split("\n")
    )  # fmt: skip


class Lane:
    """One line of progress. Draws on stderr, so that stdout stays clean for tables and JSON."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task: TaskID | None = None
        self._title = ""
        self._live = console.is_terminal
        self._said_s = time.monotonic()

    def _show(self, text: str, done: float | None, left: str) -> None:
        total = None if done is None else 1.0
        if self._task is None:
            self._task = self._progress.add_task(text, total=total, left=left)
        self._progress.update(
            self._task, description=text, total=total, completed=done or 0.0, left=left
        )

    def stage(self, text: str) -> None:
        """A new stage: a line of its own where there is no terminal to draw on."""
        self._title = text
        if self._live:
            self._show(text, None, "")
        else:
            self._console.print(text, highlight=False, markup=False)

    def group(self, text: str, budget_s: float, spent_s: float) -> None:
        """A group begins."""
        again = f", {format_elapsed(spent_s)} already measured" if spent_s else ""
        self._title = text
        self._console.print(
            f"measuring {text} (budget {format_elapsed(budget_s)}{again})",
            highlight=False, markup=False,
        )  # fmt: skip

    def update(self, text: str, done: float, left_s: float) -> None:
        """Share done and time left."""
        left = f"{format_elapsed(left_s)} left"
        if self._live:
            self._show(f"{self._title}: {text}", done, left)
        elif time.monotonic() - self._said_s >= SAY_EVERY_S:
            self._said_s = time.monotonic()
            line = f"{self._title}: {text}, {done:.0%} done, {left}"
            self._console.print(line, highlight=False, markup=False)

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"note: {text}", highlight=False, markup=False)


class NamedLane(Lane):
    """The line of one of several targets."""

    def __init__(self, console: Console, progress: Progress, name: str) -> None:
        super().__init__(console, progress)
        self._name = name

    def note(self, text: str) -> None:
        """A line that stays, with the target's name."""
        super().note(f"{self._name}: {text}")

    def lane(self, name: str) -> NamedLane:
        """Another line."""
        return NamedLane(self._console, self._progress, name)


class Bar(Lane):
    """All lines. Use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Screen(stderr=True, quiet=quiet)
        super().__init__(
            console,
            Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[left]}", markup=False),
                console=console,
                transient=True,
                refresh_per_second=REDRAWN_PER_S,
            ),
        )

    def __enter__(self) -> Bar:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def lane(self, name: str) -> NamedLane:
        """A line for one target; the common one ends where they begin."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        return NamedLane(self._console, self._progress, name)
