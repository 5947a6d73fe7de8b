from __future__ import annotations

import itertools

import numpy as np
import pytest

from profiler.report.model.chart_labels import around, leader, place, shared, side, text_width

WIDTH, HEIGHT = 620.0, 380.0


def scene(seed: int, count: int):
    random = np.random.default_rng(seed)
    points = [(float(x), float(y)) for x, y in random.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))]
    sizes = [(float(w), 13.0) for w in random.uniform(40, 150, count)]
    return points, sizes, [around(x, y, 6) for x, y in points]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("count", [1, 4, 9])
def test_labels_never_overlap_each_other_points_or_the_axes(seed, count):
    points, sizes, hard = scene(seed, count)
    boxes = place(points, sizes, width=WIDTH, height=HEIGHT, hard=hard)
    assert all(box is not None for box in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert shared(one, other) == 0
    for box, (wide, high) in zip(boxes, sizes, strict=True):
        assert box.left >= 0
        assert box.top >= 0
        assert box.right <= WIDTH
        assert box.bottom <= HEIGHT
        assert (box.right - box.left, box.bottom - box.top) == pytest.approx((wide, high))
        assert not any(shared(box, point) for point in hard)


def test_the_same_input_gives_the_same_places():
    points, sizes, hard = scene(3, 8)
    one, other = (place(points, sizes, width=WIDTH, height=HEIGHT, hard=hard) for _ in range(2))
    assert one == other


def test_no_room_is_said_not_forced():
    assert place([(5.0, 5.0)], [(100.0, 13.0)], width=50, height=50) == [None]


@pytest.mark.parametrize("seed", range(10))
def test_crowds_may_lose_labels_but_never_overlap(seed):
    random = np.random.default_rng(seed)
    points = [(float(x), float(y)) for x, y in random.normal((300, 190), 12, (25, 2))]
    hard = [around(x, y, 6) for x, y in points]
    boxes = place(points, [(130.0, 13.0)] * 25, width=WIDTH, height=HEIGHT, hard=hard)
    kept = [box for box in boxes if box is not None]
    assert len(kept) >= 10
    assert not any(shared(a, b) for a, b in itertools.combinations(kept, 2))


def test_lines_are_avoided_where_there_is_room():
    line = around(0, 0, 1).__class__(left=0, top=99, right=WIDTH, bottom=101)
    (box,) = place([(300.0, 100.0)], [(80.0, 13.0)], width=WIDTH, height=HEIGHT, soft=[line])
    assert shared(box, line) == 0


def test_reach_limits_the_distance():
    points, sizes, hard = scene(5, 9)
    boxes = place(points, sizes, width=WIDTH, height=HEIGHT, hard=hard, reach=12)
    for point, box in zip(points, boxes, strict=True):
        assert box is None or leader(point, box) == ()


def test_side_faces_the_point():
    box = around(100, 100, 10)
    assert side((50, 100), box) == "left"
    assert side((150, 100), box) == "right"
    assert side((100, 50), box) == "center"


def test_text_width_grows_with_the_text():
    assert text_width("mm", 11) > text_width("ii", 11) > text_width("i", 11)
