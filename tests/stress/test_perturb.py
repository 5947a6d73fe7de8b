"""Perturbations: seeded, worse with severity, in range, in the layout and dtype they got."""

import importlib.util

import numpy as np
import pytest

from profiler.errors import InputError
from profiler.schema.study.stress import KINDS
from profiler.stress.perturb import PERTURBATIONS, chosen_inputs, perturb

PILLOW = importlib.util.find_spec("PIL") is not None
needs_pillow = pytest.mark.skipif(not PILLOW, reason="JPEG needs Pillow: pip install '.[images]'")
IMAGE, TABULAR = KINDS["images"], KINDS["tabular"]
PICTURES = [pytest.param(n, marks=needs_pillow) if n == "jpeg" else n for n in IMAGE]


def pictures(channels=3, side=32):
    """Smooth blobs on a gradient, float32 [8, channels, side, side] in 0..1."""
    y, x = np.mgrid[:side, :side] / side
    rows = [0.5 + 0.3 * np.sin(6 * x + k) * np.cos(5 * y - k) + 0.1 * (x - y) for k in range(8)]
    stacked = np.stack(rows).astype(np.float32)[:, None]
    return np.concatenate([stacked * (1 - 0.2 * c) for c in range(channels)], axis=1)


def worse(values, name, severity, seed=0, limits=(0.0, 1.0)):
    return perturb(values, name, severity, seed=seed, tensor="x", limits=limits)


def distance(a, b):
    return float(np.sqrt(np.mean((a.astype(float) - b.astype(float)) ** 2)))


def test_every_name_has_its_function():
    assert set(PERTURBATIONS) == {*IMAGE, *TABULAR}


@pytest.mark.parametrize("name", PICTURES)
def test_images_get_worse_with_severity_and_stay_in_range(name):
    plain = pictures()
    changed = [worse(plain, name, severity) for severity in range(1, 6)]
    far = [distance(plain, c) for c in changed]
    assert far == sorted(far)
    assert 0 < far[0] < far[4]
    for c in changed:
        assert c.shape == plain.shape
        assert c.dtype == plain.dtype
        assert c.min() >= 0
        assert c.max() <= 1
        assert c.flags.c_contiguous


@pytest.mark.parametrize("name", PICTURES)
def test_layout_and_bytes_change_nothing_but_rounding(name):
    plain = pictures()
    expected = worse(plain, name, 3)
    last = worse(np.ascontiguousarray(np.moveaxis(plain, 1, 3)), name, 3)
    assert np.allclose(np.moveaxis(last, 3, 1), expected, atol=1e-6)
    whole = np.rint(plain * 255).astype(np.uint8)
    found = worse(whole, name, 3, limits=())
    assert found.dtype == np.uint8
    assert distance(found / 255, expected) < 0.02
    grey = worse(plain[:, 0], name, 3)
    assert grey.shape == plain[:, 0].shape


@pytest.mark.parametrize("name", [*PICTURES, *TABULAR])
def test_the_seed_decides(name):
    plain = pictures() if name in IMAGE else np.random.default_rng(0).normal(size=(50, 6))
    limits = (0.0, 1.0) if name in IMAGE else ()
    assert (worse(plain, name, 2, limits=limits) == worse(plain, name, 2, limits=limits)).all()
    if name not in ("blur", "brightness", "contrast", "jpeg"):
        other = worse(plain, name, 2, seed=1, limits=limits)
        assert (worse(plain, name, 2, limits=limits) != other).any()


def test_geometry_does_what_its_name_says():
    dot = np.zeros((1, 1, 41, 41), np.float32)
    dot[0, 0, 20, 30] = 1.0  # ten pixels right of the centre

    def place(image):
        weights = image[0, 0] / image.sum()
        y, x = np.mgrid[:41, :41]
        return float((weights * y).sum()), float((weights * x).sum())

    y, x = place(worse(dot, "rotation", 5))
    assert np.hypot(y - 20, x - 20) == pytest.approx(10, abs=0.3)
    assert np.degrees(np.arctan2(abs(y - 20), x - 20)) == pytest.approx(30, abs=2)
    y, x = place(worse(dot, "scale", 3))
    assert y == pytest.approx(20, abs=0.2)
    assert any(x == pytest.approx(20 + 10 * f, abs=0.5) for f in (1.35, 1 / 1.35))
    middle = np.zeros((1, 1, 41, 41), np.float32)
    middle[0, 0, 20, 20] = 1.0
    y, x = place(worse(middle, "translation", 2))
    assert np.hypot(y - 20, x - 20) == pytest.approx(0.08 * 41, abs=0.1)


def test_occlusion_covers_its_share():
    black = np.zeros((4, 1, 100, 100), np.float32)
    for severity, share in ((1, 0.05), (5, 0.3)):
        covered = (worse(black, "occlusion", severity) == 0.5).mean(axis=(1, 2, 3))
        assert covered == pytest.approx(np.full(4, share), rel=0.05)


def test_tables_change_as_stated():
    random = np.random.default_rng(3)
    plain = (random.normal(size=(4000, 3)) * [1, 10, 100] + 5).astype(np.float32)
    gone = worse(plain, "missing", 3, limits=())
    filled = gone != plain
    assert filled.mean() == pytest.approx(0.2, abs=0.02)
    assert np.allclose(np.unique(gone[:, 1][filled[:, 1]]), np.median(plain[:, 1]))
    ratio = worse(plain, "scaled", 4, limits=()) / plain
    assert np.allclose(np.minimum(ratio, 1 / ratio), 0.5)
    moved = (worse(plain, "shifted", 2, limits=()) - plain) / plain.std(axis=0)
    assert np.allclose(np.abs(moved), 0.25, atol=1e-3)
    assert abs(moved.mean()) < 0.02, "to both sides"


def test_inputs_are_chosen_by_what_they_look_like():
    given = {
        "image": np.zeros((4, 3, 8, 8), np.float32),
        "tokens": np.zeros((4, 12), np.int64),
        "numbers": np.zeros((4, 5), np.float32),
    }
    assert chosen_inputs(given, "blur", (), "m") == ("image",)
    assert chosen_inputs(given, "missing", (), "m") == ("numbers",)
    with pytest.raises(InputError, match="m has tokens int64") as caught:
        chosen_inputs({"tokens": given["tokens"]}, "missing", (), "m")
    assert "token and class numbers" in caught.value.hint
