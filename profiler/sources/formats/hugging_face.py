"""A baseline from a transformers config or a local folder of one. Nothing is downloaded.

Weights come from safetensors only, because torch's own format is a pickle, and a folder's own code
is never run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact
from profiler.schema.study.model import ModelSpec
from profiler.sources.formats.shared import extra, row_tensors
from profiler.sources.formats.torch_module import Source, from_module, needed
from profiler.sources.quiet import cause, quiet
from profiler.wire.codec import nearest

Array = np.ndarray[Any, Any]
HEADS = {
    "base": "AutoModel",
    "causal-lm": "AutoModelForCausalLM",
    "image-classification": "AutoModelForImageClassification",
    "masked-lm": "AutoModelForMaskedLM",
    "question-answering": "AutoModelForQuestionAnswering",
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
}
"""[[models]] head -> class of transformers"""
TOKENS = 32
"""length of made-up sentences where neither data nor shapes say it"""
_TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def load_hf(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, Array] | None = None,
    seed: int = 0,
) -> Artifact:
    """Build the model, export it with `rows` or made-up inputs, and compare both.

    A config alone gives random weights drawn with `seed`: good for latency, not for accuracy.
    `shapes` of the model may give `sequence` (text) or `height` and `width` (images). Raises
    ModelError.
    """
    torch = needed()
    where = f'hf = "{spec.hf}"'
    transformers = extra("transformers", "hf", f"{where}:")
    path = folder / str(spec.hf)
    place = path.parent if path.is_file() else path
    if not (place / "config.json").is_file() and not path.is_file():
        raise ModelError(
            f"{where}: expected a config.json or a folder that holds one, got "
            f"{'a folder without it' if path.is_dir() else 'no such file'}",
            hint="download the model first; the path is relative to the study file",
        )
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            config = transformers.AutoConfig.from_pretrained(
                path, local_files_only=True, trust_remote_code=False
            )
            maker = _class(spec, config, transformers, where)
            options = {"attn_implementation": "eager"}  # the one that every exporter takes
            if path.is_dir() and any(path.glob("*.safetensors")):
                module = maker.from_pretrained(
                    path, config=config, local_files_only=True, use_safetensors=True, **options
                )
                weights = "folder"
            else:
                module = maker.from_config(config, **options)
                weights = f"random, seed {seed}"
        except ModelError:
            raise
        except Exception as error:  # transformers raises ValueError, OSError, KeyError and others
            raise ModelError(f"{where}: transformers can't build it: {cause(error)}") from None
    module = module.float().eval().cpu()
    for key, value in (("use_cache", False), ("return_dict", True)):
        setattr(module.config, key, value)
    given = _given(rows, module, where, torch) or _examples(spec, config, module, seed, torch)
    source = Source(
        where=where,
        name=f"transformers {transformers.__version__} {type(module).__name__}, weights {weights}",
        module=module,
        inputs=given,
    )
    return from_module(spec, source, out, torch)


def _class(spec: ModelSpec, config: Any, transformers: Any, where: str) -> Any:
    if spec.head is not None:
        if spec.head not in HEADS:
            raise ModelError(
                f'{where}: head: expected one of {", ".join(HEADS)}, got "{spec.head}"',
                hint=nearest(spec.head, HEADS),
            )
        return getattr(transformers, HEADS[spec.head])
    said = (getattr(config, "architectures", None) or [""])[0]
    for ending, head in (
        ("ForSequenceClassification", "sequence-classification"),
        ("ForImageClassification", "image-classification"),
        ("ForTokenClassification", "token-classification"),
        ("ForQuestionAnswering", "question-answering"),
        ("ForMaskedLM", "masked-lm"),
        ("ForCausalLM", "causal-lm"),
    ):
        if said.endswith(ending):
            return getattr(transformers, HEADS[head])
    return transformers.AutoModel


def _given(rows: dict[str, Array] | None, module: Any, where: str, torch: Any) -> dict[str, Any]:
    """The data's rows under the names that forward has."""
    import inspect

    if not rows:
        return {}
    known = inspect.signature(module.forward).parameters
    given = {name: value for name, value in rows.items() if name in known}
    if not given:
        raise ModelError(
            f"{where}: the data gives {', '.join(rows)}, forward takes {', '.join(known)}",
            hint=f'name them: [data] inputs = {{ {module.main_input_name} = "<column>" }}',
        )
    return row_tensors(given, torch)


def _examples(spec: ModelSpec, config: Any, module: Any, seed: int, torch: Any) -> dict[str, Any]:
    """Two made-up rows: token ids below the vocabulary's size, or an image of normal noise."""
    import inspect

    generator = torch.Generator().manual_seed(seed)
    known = inspect.signature(module.forward).parameters
    if module.main_input_name == "pixel_values":
        size = getattr(config, "image_size", None) or 224
        high, wide = (size, size) if isinstance(size, int) else tuple(size)
        high, wide = spec.shapes.get("height", high), spec.shapes.get("width", wide)
        shape = (2, getattr(config, "num_channels", 3), high, wide)
        return {"pixel_values": torch.randn(shape, generator=generator)}
    length = spec.shapes.get("sequence", TOKENS)
    made = {
        "input_ids": torch.randint(1, int(config.vocab_size), (2, length), generator=generator),
        "attention_mask": torch.ones((2, length), dtype=torch.int64),
        "token_type_ids": torch.zeros((2, length), dtype=torch.int64),
    }
    return {name: made[name] for name in _TEXT_INPUTS if name in known}
