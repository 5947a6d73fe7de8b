"""Trained weights, kept between processes: a torch target calls the demo's functions in each.

One .npz (no pickle) a model in the cache folder, named '<key>-<sha256 of the content>.npz'. The key
covers everything that decides the weights; a file that is not its name is trained again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.places import cache_folder
from profiler.wire.whole import write_whole

if TYPE_CHECKING:
    from torch import nn


def key_of(recipe: list[Any], rows: Mapping[str, Any], source: Path) -> str:
    """SHA-256 of recipe, rows, source code of the models, and torch's version."""
    import torch

    digest = hashlib.sha256(json.dumps([recipe, torch.__version__]).encode())
    digest.update(source.read_bytes())
    for name in sorted(rows):
        digest.update(name.encode() + rows[name].tobytes())
    return digest.hexdigest()


def restore(module: nn.Module, key: str) -> bool:
    """Whether `module` now has the weights kept under `key`."""
    import numpy as np
    import torch

    for path in sorted((cache_folder() / "weights").glob(f"{key}-*.npz")):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            data = path.read_bytes()
            if path.stem.removeprefix(f"{key}-") == hashlib.sha256(data).hexdigest():
                with np.load(io.BytesIO(data), allow_pickle=False) as found:
                    state = {name: torch.from_numpy(found[name]) for name in found.files}
                module.load_state_dict(state)
                return True
    return False


def remember(module: nn.Module, key: str) -> None:
    """Keep the weights under `key`. A folder that can't be written only costs the next training."""
    import numpy as np

    buffer = io.BytesIO()
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    np.savez(buffer, allow_pickle=False, **state)
    data = buffer.getvalue()
    folder = cache_folder() / "weights"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{key}-{hashlib.sha256(data).hexdigest()}.npz"
        write_whole(folder / name, data, private=True)
