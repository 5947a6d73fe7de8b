"""ResNet-50 and BERT-base from transformers' configs, random weights, and studies of them.

For scripts that compare providers. Nothing is downloaded. The fp16 ones are for a plain torch loop;
a study makes its own fp16 variant. `tiny` is the same network with few and narrow layers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SEQUENCE = 128
FAMILIES = ("resnet50", "bert")


class Vision(nn.Module):
    """Pixels to class scores; in half precision inside where `half` is set."""

    def __init__(self, half: bool, **changes: Any) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetForImageClassification

        self.inner = ResNetForImageClassification(ResNetConfig(num_labels=1000, **changes)).eval()
        self.half_inside = half
        if half:
            self.inner.half()

    def forward(self, pixel_values: Tensor) -> Tensor:
        given = pixel_values.half() if self.half_inside else pixel_values
        return self.inner(pixel_values=given).logits.float()


class Text(nn.Module):
    """Token numbers to class scores."""

    def __init__(self, half: bool, **changes: Any) -> None:
        super().__init__()
        from transformers import BertConfig, BertForSequenceClassification

        config = BertConfig(**changes)
        config._attn_implementation = "eager"  # the one that every exporter takes
        self.inner = BertForSequenceClassification(config).eval()
        if half:
            self.inner.half()

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.inner(input_ids=input_ids).logits.float()


def resnet50() -> nn.Module:
    return Vision(False)


def resnet50_fp16() -> nn.Module:
    return Vision(True)


def bert() -> nn.Module:
    return Text(False)


def bert_fp16() -> nn.Module:
    return Text(True)


_SMALL_VISION = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
_SMALL_TEXT = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
}  # fmt: skip


def tiny_resnet50() -> nn.Module:
    return Vision(False, **_SMALL_VISION)


def tiny_resnet50_fp16() -> nn.Module:
    return Vision(True, **_SMALL_VISION)


def tiny_bert() -> nn.Module:
    return Text(False, **_SMALL_TEXT)


def tiny_bert_fp16() -> nn.Module:
    return Text(True, **_SMALL_TEXT)


def rows(family: str, count: int, side: int = 224, seed: int = 7) -> dict[str, Any]:
    """Input rows by name as numpy arrays: noise pixels, or random tokens."""
    generator = torch.Generator().manual_seed(seed)
    if family == "resnet50":
        return {"pixel_values": torch.randn(count, 3, side, side, generator=generator).numpy()}
    return {"input_ids": torch.randint(0, 30_000, (count, SEQUENCE), generator=generator).numpy()}


def write_study(
    folder: Path,
    family: str,
    *,
    targets: Sequence[str],
    variants: Sequence[str],
    batches: Sequence[int],
    budget: str,
    count: int,
    threads: int | None = None,
    side: int = 224,
    tiny: bool = False,
    round_time: str = "500ms",
) -> Path:
    """A study of one family on `count` unlabelled rows, 8 of which calibrate; its path.

    Random weights have no accuracy: agreement with the baseline takes its place. Batch 1 alone is
    measured as single_stream, with its tail; more sizes as offline, with their throughput.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__), folder / "random_models.py")
    made = rows(family, count, side)
    np.savez(folder / "rows.npz", **made)
    (name,) = made
    cores = "" if threads is None else f"threads = [{threads}]\n"
    offline = f'{{ kind = "offline", batch = {list(batches)} }}'
    scenario = '"single_stream"' if tuple(batches) == (1,) else offline
    source = f"random_models:{'tiny_' if tiny else ''}{family}"
    path = folder / "study.toml"
    path.write_text(
        f'name = "{family}"\ntargets = {json.dumps(list(targets))}\n{cores}'
        f"scenarios = [{scenario}]\n"
        'objectives = ["p50", "memory"]\n'
        f'[[models]]\nname = "{family}"\ntorch = "{source}"\n'
        f"variants = {json.dumps(list(variants))}\n"
        f'[data]\nfile = "rows.npz"\ninputs = {{ {name} = "{name}" }}\ncalibration_rows = 8\n'
        f'[measure]\nbudget = "{budget}"\nquery_timeout = "120s"\nround_time = "{round_time}"\n'
    )
    return path
