"""The study's text as its models get it: perturbed, then tokenized like the timed rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from profiler.data.text import Tokenizer
from profiler.errors import InputError
from profiler.schema.study.study import Study
from profiler.store.prepared import Prepared
from profiler.stress import text

Array = npt.NDArray[Any]


class Reader:
    """Perturbs and tokenizes the judged rows; made once a visit."""

    def __init__(self, study: Study, prepared: Prepared, folder: Path) -> None:
        """`folder` is that of the results. Raises InputError for a study without text, DataError
        for a tokenizer that can't be used."""
        data, spec, evaluation = study.data, study.stress, prepared.evaluation
        assert data is not None
        assert spec is not None
        assert evaluation is not None
        if data.text is None or evaluation.text is None:
            raise InputError(
                f"stress.perturbations: {spec.text[0]} changes text, and {data.file} is read as "
                "numbers",
                hint='name a column of text and its tokenizer: [data.text] column = "sentence", '
                'tokenizer = "tokenizer.json"; or take it out of the list',
            )
        self.seed, self.names = study.seed, spec.text
        self.tokenizer = Tokenizer(data.text, study.folder)
        self.inputs = tuple(data.text.inputs)
        self.rows: Array = np.load(
            prepared.file(folder, evaluation.text), mmap_mode="r", allow_pickle=False
        )
        self.synonyms = (
            None if spec.synonyms is None else text.read_synonyms(study.folder / spec.synonyms)
        )

    def check(self, inputs: Mapping[str, Collection[str]]) -> None:
        """Each perturbation must find something to change, each of the models (name -> its inputs)
        must read text. Raises InputError."""
        text.check(self.names, self.rows, self.synonyms)
        for model, own in inputs.items():
            if not set(own) & set(self.inputs):
                raise InputError(
                    f"stress.perturbations: {self.names[0]} changes text, and {model} has "
                    f"{', '.join(own)}, none of which [data.text] inputs names",
                    hint="take it out of the list, or the model out of the study",
                )

    def perturbed(
        self, chosen: Array, name: str, severity: int, given: dict[str, Array]
    ) -> dict[str, Array]:
        """The model's inputs that come from text, of the `chosen` rows; shapes and dtypes are those
        of `given`, so that a row which became longer is cut to what was timed."""
        own = {tensor: given[tensor] for tensor in self.inputs if tensor in given}
        length = next(iter(own.values())).shape[1]
        rows = text.perturb_text(
            self.rows[chosen], name, severity, seed=self.seed, synonyms=self.synonyms
        )
        made = self.tokenizer.encode(rows, length)
        return {tensor: np.asarray(made[tensor], like.dtype) for tensor, like in own.items()}
