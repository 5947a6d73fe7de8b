"""The error tree. Every error carries what happened and, as `hint`, what to type next.

ProfilerError
├── InputError            exit 2: the user's file, value or command is wrong
│   ├── StudyError        a study or target file (file, key, expected, got)
│   ├── DataError         an evaluation set
│   ├── ModelError        a model file or model source
│   ├── ResultsError      a results folder
│   └── DecodeError       (in schema.codec) a value of any of these that does not fit
├── VariantError          a variant can't be made: becomes a row with its reason
├── WorkerError           the device answered: it failed
│   └── UnlikeError       exit 2: its rounds don't go with those recorded
├── TransportError        exit 3: the link to the device failed
│   └── TransientError    trying again may help
│       └── NoAnswer      … but not at once: the time there is was spent waiting
├── EnvironmentMissing    a target's packages can't be had: its trials are excluded
└── Interrupted           exit 130: stopped by the user, resumable

Python 3.8 source, stdlib only: travels to devices.
"""

from __future__ import annotations

from typing import Optional


class ProfilerError(Exception):
    """Base of every error this program raises on purpose."""

    exit_code = 2

    def __init__(
        self, message: str, *, hint: Optional[str] = None, kept: Optional[str] = None
    ) -> None:
        """`kept` is what records say instead of message and hint, where these tell the way to a
        device or to the user's files.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept

    def recorded(self) -> tuple[str, Optional[str]]:
        """Message and hint as results keep them: other people read those."""
        return (self.message, self.hint) if self.kept is None else (self.kept, None)


class InputError(ProfilerError):
    """The user's input is wrong; nothing was measured."""


class StudyError(InputError):
    """A study or target file does not decode: names file, key, expected and got."""


class DataError(InputError):
    """An evaluation set can't be read or does not fit the model."""


class ModelError(InputError):
    """A model file or source can't be used."""


class ResultsError(InputError):
    """A results folder can't be read or written, or belongs to another study."""


class VariantError(ProfilerError):
    """A variant can't be made; the study goes on and shows the reason."""


class WorkerError(ProfilerError):
    """The device answered, and the answer is that it failed."""

    exit_code = 3


class UnlikeError(WorkerError):
    """The device, or its software, is not the one whose rounds are recorded."""

    exit_code = 2


class TransportError(ProfilerError):
    """The link to the device failed; the device's own state is unknown."""

    exit_code = 3


class TransientError(TransportError):
    """A link failure after which trying again may help."""


class NoAnswer(TransientError):
    """Nobody answered in all the time there is; where nobody ever did, once is enough."""


class EnvironmentMissing(ProfilerError):
    """A target's own environment can't be made here; other targets go on."""

    exit_code = 3


class Interrupted(ProfilerError):
    """Stopped by the user; what was recorded stays, the same command goes on from there."""

    exit_code = 130
