"""The demo's evaluation set: scikit-learn's 1,797 digits, enlarged from 8x8 to 32x32 pixels.

Real scans with real labels that need no download. The split is drawn once with a fixed seed and
stratified by class: 949 rows train, 128 calibrate, 720 evaluate.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

FILE = "digits.npz"
SIDE = 32
CALIBRATION_ROWS = 128
EVALUATION_ROWS = 720
SEED = 20260101


def _bilinear(source: int, target: int) -> np.ndarray[Any, Any]:
    """Weights [target, source] of linear interpolation between pixel centres."""
    import numpy as np

    centres = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    weights: np.ndarray[Any, Any] = 1 - np.abs(centres[:, None] - np.arange(source)[None, :])
    return weights.clip(min=0)


@cache
def columns() -> dict[str, np.ndarray[Any, Any]]:
    """images float32 [1797, 1, 32, 32] in 0..1, labels int64 [1797], split text [1797].

    The arrays are shared between callers and read-only.
    """
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    small, labels = load_digits(return_X_y=True)
    weights = _bilinear(8, SIDE)
    images = (weights @ (small.reshape(-1, 8, 8) / 16.0) @ weights.T).astype(np.float32)
    rows = np.arange(len(labels))
    rest, evaluation = train_test_split(
        rows, test_size=EVALUATION_ROWS, stratify=labels, random_state=SEED
    )
    _, calibration = train_test_split(
        rest, test_size=CALIBRATION_ROWS, stratify=labels[rest], random_state=SEED
    )
    split = np.full(len(labels), "train", dtype="<U11")
    split[evaluation] = "evaluation"
    split[calibration] = "calibration"
    found = {
        "images": images[:, None],
        "labels": labels.astype(np.int64),
        "split": split,
    }
    for array in found.values():
        array.flags.writeable = False
    return found


def write(folder: Path) -> Path:
    """Write digits.npz (columns images, labels, split) into `folder`; the same bytes each time."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    found = columns()
    np.savez_compressed(path, images=found["images"], labels=found["labels"], split=found["split"])
    return path
