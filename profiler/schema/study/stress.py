"""The [stress] table of a study: which perturbations, how severe, and whether to probe failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from profiler.schema.limits import check, numbers, shares
from profiler.wire.codec import DecodeError, nearest

Severity = Literal[1, 2, 3, 4, 5]

KINDS: dict[str, tuple[str, ...]] = {
    "images": (
        "gaussian_noise", "blur", "brightness", "contrast", "rotation", "scale", "translation",
        "occlusion", "jpeg",
    ),
    "tabular": ("missing", "scaled", "shifted"),
    "text": ("typos", "case", "punctuation", "synonyms"),
}  # fmt: skip
"""kind of rows -> perturbations of such rows; what each does stands in `stress.perturb`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressSpec:
    """What is done to the evaluation rows, and to the session, after the timing."""

    perturbations: tuple[str, ...] = ()
    """names of KINDS; 'images', 'tabular' and 'text' stand for all of theirs"""
    severities: tuple[Severity, ...] = (1, 2, 3, 4, 5)
    inputs: tuple[str, ...] = ()
    """model inputs that are perturbed; default: those that look like images, or like numbers"""
    rows: int = field(default=1000, metadata=numbers(1, 10_000_000))
    """at most this many evaluation rows, drawn with the seed; the same for every variant"""
    range: tuple[float, ...] = field(default=(), metadata=numbers(-1e9, 1e9))
    """images: the values of black and white; default: 0 and 255 for bytes, else what occurs"""
    synonyms: Optional[str] = None
    """text file for the perturbation of that name: a word, a tab, its synonyms with commas between;
    without it 'text' stands for the others"""
    margin: Optional[float] = field(default=None, metadata=shares("0.0001%", "99.9%"))
    """extra loss that would still be acceptable; default: measure.margin"""
    probes: bool = True
    """ask each variant what it must not be asked: NaN, a wrong shape, too much at once, …"""

    def __post_init__(self) -> None:
        check(self)
        known = tuple(name for names in KINDS.values() for name in names)
        for name in self.perturbations:
            if name not in known and name not in KINDS:
                near = nearest(name, (*known, *KINDS))
                raise DecodeError("perturbations", "any of " + ", ".join(known), name, near)
        if "synonyms" in self.perturbations and self.synonyms is None:
            raise DecodeError(
                "synonyms", 'a file of synonyms for the perturbation "synonyms"', None,
                'write lines of a word, a tab and its synonyms with commas between, and name them:'
                ' synonyms = "synonyms.tsv"',
            )  # fmt: skip
        if self.synonyms is not None and "synonyms" not in self.names:
            raise DecodeError("synonyms", 'no file without the perturbation "synonyms" or "text"',
                              self.synonyms)  # fmt: skip
        if len(set(self.names)) != len(self._each):
            raise DecodeError("perturbations", "names that occur once", list(self.perturbations))
        if not self.severities or len(set(self.severities)) != len(self.severities):
            raise DecodeError("severities", "numbers from 1 to 5, each once", list(self.severities))
        if self.range and (len(self.range) != 2 or self.range[0] >= self.range[1]):
            raise DecodeError("range", "[black, white], e.g. [0.0, 1.0]", list(self.range))
        if not self.perturbations and not self.probes:
            raise DecodeError("perturbations", "at least one, or probes = true", [])

    @property
    def names(self) -> tuple[str, ...]:
        """The perturbations one by one."""
        return tuple(dict.fromkeys(self._each))

    @property
    def text(self) -> tuple[str, ...]:
        """Those that change text."""
        return tuple(name for name in self.names if name in KINDS["text"])

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a group stands for and this study can't do, with the reason."""
        if "text" in self.perturbations and self.synonyms is None:
            return ('synonyms left out of "text": [stress] synonyms names no file of them',)
        return ()

    @property
    def _each(self) -> list[str]:
        every = [name for given in self.perturbations for name in KINDS.get(given, (given,))]
        return [name for name in every if name != "synonyms" or self.synonyms is not None]
