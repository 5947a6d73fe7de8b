"""How text becomes token numbers: declared once in the study, applied to every variant alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional, get_args

from profiler.schema.limits import check, numbers
from profiler.wire.codec import DecodeError, nearest

Tokens = Literal["ids", "mask", "types"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """Read a column of text, tokenize, cut, pad, in this order."""

    column: str
    """column that holds one text a row"""
    tokenizer: str
    """tokenizer.json of the `tokenizers` library, or the folder that holds it"""
    max_length: Optional[int] = field(default=None, metadata=numbers(1, 1_000_000))
    """tokens, special ones included, after which a row is cut; default: what the tokenizer's file
    says, if it says anything"""
    padding: Literal["longest", "max_length"] = "longest"
    """rows are as long as the longest of the file, or all max_length"""
    pad_token: Optional[str] = None
    """default: what the tokenizer's files say, else [PAD] or <pad>"""
    inputs: dict[str, Tokens] = field(
        default_factory=lambda: {"input_ids": "ids", "attention_mask": "mask"}
    )
    """model input -> the token numbers, 1 for a token and 0 for padding, or token-type numbers"""

    def __post_init__(self) -> None:
        check(self)
        if self.padding == "max_length" and self.max_length is None:
            raise DecodeError("max_length", 'a number of tokens for padding = "max_length"', None)
        if "ids" not in self.inputs.values():
            known = get_args(Tokens)
            near = next((nearest(v, known) for v in self.inputs.values()), None)
            raise DecodeError("inputs", 'one input that takes the "ids"', self.inputs, near)
