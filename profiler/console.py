"""What a person sees while a campaign works: one line with the share done and the time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from profiler.units import format_elapsed


class Bar:
    """Draws on stderr, so that stdout stays clean for tables and JSON."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._title = ""
        self._live = self._console.is_terminal

    def __enter__(self) -> Bar:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def _show(self, text: str, done: float | None, left: str) -> None:
        total = None if done is None else 1.0
        if self._task is None:
            self._task = self._progress.add_task(text, total=total, left=left)
        self._progress.update(
            self._task, description=text, total=total, completed=done or 0.0, left=left
        )

    def stage(self, text: str) -> None:
        """A new stage: a line of its own where there is no terminal to draw on."""
        if self._live:
            self._show(text, None, "")
        else:
            self._console.print(text, highlight=False, markup=False)

    def group(self, text: str, budget_s: float, spent_s: float) -> None:
        """A group begins."""
        again = f", {format_elapsed(spent_s)} already measured" if spent_s else ""
        self._title = text
        self._console.print(
            f"measuring {text} (at most about {format_elapsed(budget_s)}{again})",
            highlight=False, markup=False,
        )  # fmt: skip

    def update(self, text: str, done: float, left_s: float) -> None:
        """Share done and time left."""
        if self._live:
            self._show(f"{self._title}: {text}", done, f"{format_elapsed(left_s)} left")

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"note: {text}", highlight=False, markup=False)
