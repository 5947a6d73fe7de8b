"""A column of text, tokenized as the study says by the `tokenizers` library. Nothing is downloaded.

Every row is tokenized by itself, so that the library starts no threads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from profiler.data.bounds import check_file
from profiler.data.mapped import scratch
from profiler.errors import DataError
from profiler.schema.study.text import TextSpec, Tokens
from profiler.wire.codec import nearest, show

Array = np.ndarray[Any, Any]

FILE = "tokenizer.json"
_COMMON = ("[PAD]", "<pad>")
_SHOWN_ROWS = 5


def files(spec: TextSpec, folder: Path) -> tuple[Path, ...]:
    """The files that say how to tokenize: tokenizer.json, and beside it what names the padding."""
    path = folder / spec.tokenizer
    main = path / FILE if path.is_dir() else path
    config = main.with_name("tokenizer_config.json")
    return (main, config) if config.is_file() else (main,)


def texts(column: Array, where: str) -> Array:
    """The column, one text a row. Raises DataError for numbers and for rows without text."""
    if column.dtype.kind != "U" or column.ndim != 1:
        raise DataError(
            f"{where}: expected one text a row, got {column.dtype} {['rows', *column.shape[1:]]}",
            hint="save it as text: np.array(sentences) in a .npz, or a text column",
        )
    empty = np.flatnonzero(np.char.str_len(np.char.strip(column)) == 0)
    if len(empty):
        listed = ", ".join(map(str, empty[:_SHOWN_ROWS]))
        more = f" (and {len(empty) - _SHOWN_ROWS} more)" if len(empty) > _SHOWN_ROWS else ""
        raise DataError(
            f"{where}: expected text in every row, got none in row {listed}{more}",
            hint="rows count from 0; drop them. In a CSV file NA, null and None mean nothing, "
            "in Parquet they are text",
        )
    return column


class Tokenizer:
    """Text in, arrays [rows, length] out: int64, one for each input the study names."""

    def __init__(self, spec: TextSpec, folder: Path) -> None:
        """`folder` is the study's. Raises DataError naming the file and what is wrong with it."""
        self.spec, self.path = spec, files(spec, folder)[0]
        self._tokenizer = _loaded(self.path)
        config = _config(files(spec, folder)[1:])
        own, cut = self._tokenizer.padding or {}, self._tokenizer.truncation or {}
        # The configuration goes first, as in transformers.
        self.left = (config.get("padding_side") or own.get("direction")) == "left"
        cut_side = config.get("truncation_side") or cut.get("direction")
        self._cut_side = "left" if cut_side == "left" else "right"
        self.pad_type = int(own.get("pad_type_id", 0))
        self.pad = self._pad(own, config)
        self._tokenizer.no_padding()
        special = self._tokenizer.num_special_tokens_to_add(False)
        if spec.max_length is not None:
            if spec.max_length <= special:
                # The library would cut nothing then.
                raise DataError(
                    f"data.text.max_length: expected more than {special}, the special tokens that "
                    f"{self.path} adds to each row, got {spec.max_length}",
                    hint="leave it out for rows as long as they are",
                )
            self._tokenizer.enable_truncation(spec.max_length, direction=self._cut_side)

    def _pad(self, own: dict[str, Any], config: dict[str, Any]) -> int:
        named = self.spec.pad_token or config.get("pad_token")
        if isinstance(named, dict):
            named = named.get("content")
        if named is not None and not isinstance(named, str):
            raise DataError(
                f"{self.path.with_name('tokenizer_config.json')}: pad_token: expected text, got "
                f"{show(named)}"
            )
        if named is None and own:
            return int(own["pad_id"])
        for token in (named,) if named else _COMMON:
            number = self._tokenizer.token_to_id(token)
            if number is not None:
                return int(number)
        known = self._tokenizer.get_vocab()
        raise DataError(
            f"data.text.pad_token: expected a token of {self.path}, "
            + (f'got "{named}"' if named else "which names none for padding, got nothing"),
            hint=(nearest(named, known) if named else None)
            or 'name one: [data.text] pad_token = "…", often the one that ends a text',
        )

    def encode(self, rows: Iterable[str], length: int | None = None) -> dict[str, Array]:
        """Model input -> int64 [rows, length].

        `length` is given where rows must be as long as those of another call: longer ones are cut
        to it, special tokens kept. Default: max_length, or the longest row. The arrays lie in
        temporary files, not in memory.
        """
        if length is not None:
            self._tokenizer.enable_truncation(length, direction=self._cut_side)
        parts: dict[Tokens, list[Array]] = {"ids": [], "mask": [], "types": []}
        for row in rows:
            try:
                encoding = self._tokenizer.encode(str(row))
            except BaseException as error:
                raise _failed(self.path, error) from None
            found = (encoding.ids, encoding.attention_mask, encoding.type_ids)
            for kept, numbers in zip(parts.values(), found, strict=True):
                kept.append(np.array(numbers, np.int32))
        if length is None and self.spec.padding == "max_length":
            length = self.spec.max_length
        if length is None:
            length = max([1, *map(len, parts["ids"])])
        filler: dict[Tokens, int] = {"ids": self.pad, "types": self.pad_type, "mask": 0}
        return {
            name: self._padded(parts[what], length, filler[what])
            for name, what in self.spec.inputs.items()
        }

    def _padded(self, rows: list[Array], length: int, filler: int) -> Array:
        made = scratch((len(rows), length), np.dtype(np.int64))
        made[:] = filler
        for row, values in zip(made, rows, strict=True):
            if len(values):
                row[slice(-len(values), None) if self.left else slice(len(values))] = values
        return made


def _own(error: BaseException) -> bool:
    """Whether the library raised it: plain Exception, or a panic, which is none."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _failed(path: Path, error: BaseException) -> BaseException:
    if not _own(error):
        return error
    return DataError(f"{path}: data.text.tokenizer: a text can't be tokenized: {error}")


def _loaded(path: Path) -> Any:
    try:
        import tokenizers
    except ImportError:
        raise DataError(
            "data.text: reading text needs the package tokenizers, which is not installed",
            hint="pip install 'hardware-profiler[text]'",
        ) from None
    try:
        if path.exists():
            check_file(path, "data.text.tokenizer")
        content = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{path}: data.text.tokenizer: expected a {FILE} or the folder that holds it, "
            "got no such file",
            hint="a tokenizer of transformers writes one with save_pretrained(folder); the path "
            "is relative to the study file",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: data.text.tokenizer: can't be read ({error})") from None
    try:
        return tokenizers.Tokenizer.from_str(content)
    except BaseException as error:
        if not _own(error):
            raise
        raise DataError(
            f"{path}: data.text.tokenizer: not a tokenizer's file: {error}",
            hint=f"expected the {FILE} of a fast tokenizer; vocab.txt or a .model file alone "
            "must be converted with transformers first",
        ) from None


def _config(paths: tuple[Path, ...]) -> dict[str, Any]:
    for path in paths:
        try:
            check_file(path, "data.text.tokenizer")
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: not readable JSON: {error}") from None
        if not isinstance(found, dict):
            raise DataError(f"{path}: expected a JSON object, got {type(found).__name__}")
        return found
    return {}
