"""The [stress] table of a study: which perturbations, how severe, and whether to probe failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional, get_args

from profiler.schema.codec import DecodeError, nearest
from profiler.units import parse_fraction

Severity = Literal[1, 2, 3, 4, 5]
SEVERITIES: tuple[int, ...] = get_args(Severity)

IMAGE = (
    "gaussian_noise", "blur", "brightness", "contrast", "rotation", "scale", "translation",
    "occlusion", "jpeg",
)  # fmt: skip
TABULAR = ("missing", "scaled", "shifted")
TEXT = ("typos", "case", "punctuation", "synonyms")
KINDS = {"images": IMAGE, "tabular": TABULAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class StressSpec:
    """What is done to the evaluation rows, and to the session, after the timing."""

    perturbations: tuple[str, ...] = ()
    """names of IMAGE or TABULAR; 'images' and 'tabular' stand for all of theirs"""
    severities: tuple[Severity, ...] = (1, 2, 3, 4, 5)
    inputs: tuple[str, ...] = ()
    """model inputs that are perturbed; default: those that look like images, or like numbers"""
    rows: int = 1000
    """at most this many evaluation rows, drawn with the seed; the same for every variant"""
    range: tuple[float, ...] = ()
    """images: the values of black and white; default: 0 and 255 for bytes, else what occurs"""
    margin: Optional[float] = field(
        default=None,
        metadata={"parse": parse_fraction, "expected": "a share such as '1pp', '1%' or 0.01"},
    )
    """extra loss that would still be acceptable; default: measure.margin"""
    probes: bool = True
    """ask each variant what it must not be asked: NaN, a wrong shape, too much at once, …"""

    def __post_init__(self) -> None:
        known = (*IMAGE, *TABULAR)
        for name in self.perturbations:
            if name in TEXT:
                raise DecodeError(
                    "perturbations", "what can be done to numbers: " + ", ".join(known), name,
                    f"{name!r} changes text before a tokenizer, and a study holds token numbers:"
                    " change the text, tokenize it, and measure those rows as another study",
                )  # fmt: skip
            if name not in known and name not in KINDS:
                near = nearest(name, (*known, *KINDS))
                raise DecodeError("perturbations", "any of " + ", ".join(known), name, near)
        if len(set(self.names)) != len([n for p in self.perturbations for n in KINDS.get(p, (p,))]):
            raise DecodeError("perturbations", "names that occur once", list(self.perturbations))
        if not self.severities or len(set(self.severities)) != len(self.severities):
            raise DecodeError("severities", "numbers from 1 to 5, each once", list(self.severities))
        if self.rows < 1:
            raise DecodeError("rows", "1 or more", self.rows)
        if self.range and (len(self.range) != 2 or self.range[0] >= self.range[1]):
            raise DecodeError("range", "[black, white], e.g. [0.0, 1.0]", list(self.range))
        if self.margin is not None and not 0 < self.margin < 1:
            raise DecodeError("margin", "a share between 0 and 1, e.g. '1pp'", self.margin)
        if not self.perturbations and not self.probes:
            raise DecodeError("perturbations", "at least one, or probes = true", [])

    @property
    def names(self) -> tuple[str, ...]:
        """The perturbations one by one."""
        every = [name for given in self.perturbations for name in KINDS.get(given, (given,))]
        return tuple(dict.fromkeys(every))
