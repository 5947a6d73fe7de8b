"""ResNet-50 and BERT-base with random weights, for scripts/gpu_check. Nothing is downloaded.

The fp16 ones are for the plain torch loop; the study makes its own fp16 variant.

`tiny` in the name of a callable is the same network with few and narrow layers, for rehearsing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SEQUENCE = 128


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

        self.inner = BertForSequenceClassification(BertConfig(**changes)).eval()
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


def rows(family: str, count: int, side: int, seed: int = 7) -> dict[str, Any]:
    """Input rows by name as numpy arrays: noise pixels, or random tokens."""
    generator = torch.Generator().manual_seed(seed)
    if family == "resnet50":
        return {"pixel_values": torch.randn(count, 3, side, side, generator=generator).numpy()}
    return {"input_ids": torch.randint(0, 30_000, (count, SEQUENCE), generator=generator).numpy()}
