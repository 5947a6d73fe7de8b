"""What a campaign tells while it works. The command line draws it; a library user may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a campaign is."""

    def stage(self, text: str) -> None:
        """A new stage begins, e.g. 'exporting convnet'."""

    def group(self, text: str, budget_s: float, spent_s: float) -> None:
        """A group begins, or goes on after an interruption."""

    def update(self, text: str, done: float, left_s: float) -> None:
        """Share of what is under way that is done (0 to 1) and the seconds left, at most."""

    def note(self, text: str) -> None:
        """Something the user should know, at once."""

    def lane(self, name: str) -> Progress:
        """Where one of several targets, all at work at once, tells how far it is."""


class Silent:
    """Says nothing."""

    def stage(self, text: str) -> None:
        """Ignore."""

    def group(self, text: str, budget_s: float, spent_s: float) -> None:
        """Ignore."""

    def update(self, text: str, done: float, left_s: float) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def lane(self, name: str) -> Progress:
        """The same: it says nothing either."""
        return self
