"""Label placement: pure geometry in pixels, the same result for the same input.

Each label tries positions around its point, the near ones first. Forbidden: leaving the plot,
covering a point or another label. Undesired: covering a line. A greedy pass takes the crowded
points first; when one finds no place, the pass is repeated with that one in front. Finding the
best placement is NP-hard (Marks and Shieber 1991); a frontier has few labels, greedy is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_RINGS: Final = (8.0, 12.0, 18.0, 27.0, 40.0, 58.0, 80.0, 105.0)
# above right reads best (Imhof 1975); y grows downwards
_ANGLES: Final = tuple(math.radians(a) for a in (-35, 35, -90, 90, 0, -145, 145, 180, -60, 60))
# in pixels of distance: what a label may go to avoid a line below it, its leader line across
# something, or standing nearer to another point than to its own
_LINE_COST: Final = 12.0
_LEADER_COST: Final = 40.0
_DOUBT_COST: Final = 20.0
_LEADER_FROM: Final = 16.0
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]- "), frozenset("mwMW%@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def centre(self) -> tuple[float, float]:
        """x and y of the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def around(x: float, y: float, half: float) -> Box:
    """A square with sides of 2 `half`."""
    return Box(left=x - half, top=y - half, right=x + half, bottom=y + half)


def shared(one: Box, other: Box) -> float:
    """Area covered by both, in square pixels."""
    wide = min(one.right, other.right) - max(one.left, other.left)
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    return wide * high if wide > 0 and high > 0 else 0.0


def text_width(text: str, size: float) -> float:
    """Pixels that `text` takes in a Helvetica-like face of `size` pixels, slightly too many."""
    ems = sum(0.33 if c in _NARROW else 0.86 if c in _WIDE else 0.58 for c in text)
    return ems * size + 2


def place(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    *,
    width: float,
    height: float,
    hard: Sequence[Box] = (),
    soft: Sequence[Box] = (),
    reach: float = math.inf,
) -> list[Box | None]:
    """Boxes for labels of `sizes` (width, height) at `anchors` (x, y) in a plot; None: no room.

    `hard` boxes are never covered (give those of the points too), `soft` ones rarely. No label
    stands further than `reach` from its point.
    """
    rings = tuple(ring for ring in _RINGS if ring <= reach)

    def crowd(i: int) -> int:
        x, y = anchors[i]
        return sum(math.dist((x, y), box.centre) < 70 for box in hard)

    points = [box.centre for box in hard]
    order = sorted(range(len(anchors)), key=lambda i: (-crowd(i), i))
    best: list[Box | None] = [None] * len(anchors)
    for _ in range(len(anchors) + 1):
        placed: list[Box | None] = [None] * len(anchors)
        lines = list(soft)
        for i in order:
            taken = [*hard, *(box for box in placed if box is not None)]
            box = _best(anchors[i], sizes[i], width, height, taken, lines, points, rings)
            placed[i] = box
            if box is not None and (ends := leader(anchors[i], box)):
                lines += [around(*_along(*ends, step / 8), 1.0) for step in range(9)]
        if placed.count(None) < best.count(None) or best.count(None) == len(best):
            best = placed
        stuck = [i for i in order if placed[i] is None]
        if not stuck:
            return placed
        order = [*stuck, *(i for i in order if i not in stuck)]
    return best


def _best(
    anchor: tuple[float, float],
    size: tuple[float, float],
    width: float,
    height: float,
    taken: Sequence[Box],
    soft: Sequence[Box],
    points: Sequence[tuple[float, float]],
    rings: Sequence[float],
) -> Box | None:
    cheapest: Box | None = None
    lowest = math.inf
    for ring in rings:
        for rank, angle in enumerate(_ANGLES):
            box = _candidate(anchor, size, ring, angle)
            if box.left < 0 or box.top < 0 or box.right > width or box.bottom > height:
                continue
            if any(shared(box, other) for other in taken):
                continue
            cost = 0.7 * ring + rank + _LINE_COST * sum(shared(box, s) > 0 for s in soft)
            cost += _LEADER_COST * sum(_crosses(anchor, box, other) for other in taken)
            leader = math.dist(anchor, nearest(anchor, box))
            cost += _DOUBT_COST * any(
                math.dist(p, nearest(p, box)) < leader + 3 for p in points if p != anchor
            )
            if cost < lowest:
                cheapest, lowest = box, cost
    return cheapest


def _candidate(
    anchor: tuple[float, float], size: tuple[float, float], ring: float, angle: float
) -> Box:
    """The box whose near edge lies `ring` pixels from the anchor in the direction `angle`."""
    (x, y), (wide, high) = anchor, size
    across, down = math.cos(angle), math.sin(angle)
    # full half-width once the direction is clearly sideways, so that text does not lean over
    middle_x = x + across * ring + max(-1.0, min(1.0, across * 1.3)) * wide / 2
    middle_y = y + down * ring + max(-1.0, min(1.0, down * 1.3)) * high / 2
    return Box(
        left=middle_x - wide / 2,
        top=middle_y - high / 2,
        right=middle_x + wide / 2,
        bottom=middle_y + high / 2,
    )


def nearest(point: tuple[float, float], box: Box) -> tuple[float, float]:
    """The place in the box that is nearest to a point."""
    return (min(max(point[0], box.left), box.right), min(max(point[1], box.top), box.bottom))


def leader(
    anchor: tuple[float, float], box: Box
) -> tuple[tuple[float, float], tuple[float, float]] | tuple[()]:
    """The two ends of the line from a point to its label; nothing when they are close."""
    end = nearest(anchor, box)
    distance = math.dist(anchor, end)
    if distance < _LEADER_FROM:
        return ()
    share = 10.5 / distance  # starts outside the point and its ring
    return _along(anchor, end, share), end


def _along(
    start: tuple[float, float], end: tuple[float, float], share: float
) -> tuple[float, float]:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def side(anchor: tuple[float, float], box: Box) -> str:
    """How text stands in its box: flush with the side that faces the point."""
    if box.left > anchor[0]:
        return "left"
    return "right" if box.right < anchor[0] else "center"


def _crosses(anchor: tuple[float, float], box: Box, other: Box) -> bool:
    """Whether the leader line passes through another box (the anchor's own excepted)."""
    end = nearest(anchor, box)
    for step in range(1, 10):
        x, y = _along(anchor, end, step / 10)
        inside = other.left < x < other.right and other.top < y < other.bottom
        own = other.left <= anchor[0] <= other.right and other.top <= anchor[1] <= other.bottom
        if inside and not own:
            return True
    return False
