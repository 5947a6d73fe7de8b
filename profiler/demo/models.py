"""The demo's models. Each function trains one and returns it in eval mode, in seconds.

They are shaped to disagree about quantization: `mlp` is bound by reading weights, `convnet` by
(partly depthwise) convolutions, `attention` by many small matrix products. `linear` is the row
that says what a model without a hidden layer reaches.

Training is seeded and runs on one thread whatever the machine has: the order of a floating-point
sum depends on the number of threads, and the same weights must come back when a study is resumed.
They are kept after the first time, since a torch target calls these functions in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

SEED = 7
_THREADS = 1
_BATCH = 64
_SHIFT = 1
"""training images are moved by up to this many pixels, a quarter of a scanned one"""


@contextmanager
def _reproducible() -> Iterator[None]:
    """Seeded, with deterministic kernels and a fixed number of threads; put back afterwards."""
    import torch

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        torch.set_num_threads(_THREADS)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def _trained(
    build: Callable[[], nn.Module], *, epochs: int, peak_rate: float, decay: float = 0.01
) -> nn.Module:
    """Build and train on the rows marked 'train', shifted at random; or restore what was kept."""

    from profiler.demo import weights
    from profiler.demo.data import columns

    found = columns()
    recipe = [build.__qualname__, epochs, peak_rate, decay]
    key = weights.key_of(recipe, found, Path(__file__))
    with _reproducible():
        module = build()
        if not weights.restore(module, key):
            _train(module.train(), found, epochs=epochs, peak_rate=peak_rate, decay=decay)
            weights.remember(module, key)
    return module.eval()


def _train(
    module: nn.Module, found: dict[str, Any], *, epochs: int, peak_rate: float, decay: float
) -> None:
    """AdamW, one-cycle rate, cross-entropy; torch must be seeded."""
    import torch
    from torch.nn import functional

    rows = found["split"] == "train"
    images = torch.from_numpy(found["images"][rows])
    labels = torch.from_numpy(found["labels"][rows])
    padded = functional.pad(images, (_SHIFT,) * 4)
    side, steps = images.shape[-1], -(-len(images) // _BATCH)
    optimizer = torch.optim.AdamW(module.parameters(), lr=peak_rate, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=peak_rate, epochs=epochs, steps_per_epoch=steps
    )
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(_BATCH):
            top, left = torch.randint(0, 2 * _SHIFT + 1, (2,)).tolist()
            shifted = padded[batch, :, top : top + side, left : left + side]
            loss = functional.cross_entropy(module(shifted), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def linear(epochs: int = 12) -> nn.Module:
    """Softmax regression: 1,024 pixels to 10 scores."""
    from torch import nn

    class Linear(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Linear(1024, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.scores(images.flatten(1))

    return _trained(Linear, epochs=epochs, peak_rate=0.01)


def mlp(epochs: int = 14) -> nn.Module:
    """Hidden layers of 2,048 and 1,024 units: 4.2 million weights, each read once per query."""
    from torch import nn

    class Mlp(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(1024, 2048),
                nn.ReLU(),
                nn.Dropout(0.2),
                nn.Linear(2048, 1024),
                nn.ReLU(),
                nn.Linear(1024, 10),
            )

        def forward(self, images: Tensor) -> Tensor:
            return self.layers(images.flatten(1))

    return _trained(Mlp, epochs=epochs, peak_rate=0.001)


def convnet(epochs: int = 6) -> nn.Module:
    """A stem, then depthwise-separable blocks, as in MobileNet: cheap, and hard to quantize."""
    from torch import nn

    def block(width_in: int, width_out: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(width_in, width_in, 3, stride, 1, groups=width_in, bias=False),
            nn.BatchNorm2d(width_in),
            nn.ReLU6(),
            nn.Conv2d(width_in, width_out, 1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU6(),
        )

    class Convnet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 32, 3, 2, 1, bias=False),
                nn.BatchNorm2d(32),
                nn.ReLU6(),
                block(32, 96, 1),
                block(96, 192, 2),
                block(192, 256, 1),
                block(256, 256, 1),
            )
            self.scores = nn.Linear(256, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.scores(self.features(images).mean((2, 3)))

    return _trained(Convnet, epochs=epochs, peak_rate=0.01)


def attention(epochs: int = 12) -> nn.Module:
    """A small vision transformer: 16 patches of 8x8 pixels, width 192, 4 heads, 2 layers.

    Written with plain matrix products and softmax, so that the exported graph has the MatMul
    nodes which quantizers look for.
    """
    import torch
    from torch import nn

    width, heads, side, patch = 192, 4, 32, 8
    grid = side // patch
    tokens = grid * grid

    class Layer(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm_mix, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
            self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
            self.value, self.join = nn.Linear(width, width), nn.Linear(width, width)
            self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

        def split(self, value: Tensor) -> Tensor:
            return value.reshape(-1, tokens, heads, width // heads).transpose(1, 2)

        def forward(self, value: Tensor) -> Tensor:
            normed = self.norm_mix(value)
            query, key = self.split(self.query(normed)), self.split(self.key(normed))
            weights = torch.softmax(query @ key.transpose(2, 3) * (width // heads) ** -0.5, -1)
            mixed = (weights @ self.split(self.value(normed))).transpose(1, 2)
            value = value + self.join(mixed.reshape(-1, tokens, width))
            return value + self.narrow(torch.relu(self.widen(self.norm_mlp(value))))

    class Attention(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(patch * patch, width)
            self.place = nn.Parameter(torch.randn(1, tokens, width) * 0.1)
            self.layers = nn.Sequential(Layer(), Layer())
            self.norm, self.scores = nn.LayerNorm(width), nn.Linear(tokens * width, 10)

        def forward(self, images: Tensor) -> Tensor:
            cut = images.reshape(-1, grid, patch, grid, patch).transpose(2, 3)
            value = self.embed(cut.reshape(-1, tokens, patch * patch)) + self.place
            return self.scores(self.norm(self.layers(value)).flatten(1))

    return _trained(Attention, epochs=epochs, peak_rate=0.001)
