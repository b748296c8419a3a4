"""Where labels go in a picture so that none covers another, a point or the edge."""

from collections.abc import Sequence
from typing import NamedTuple

CHARACTER_PX = 6.5  # of 11 px text in the widest usual system font
LINE_PX = 14.0


class Point(NamedTuple):
    """A mark at (x, y) pixels from the top left, as wide as its radius says, and its label's text."""

    x: float
    y: float
    radius: float
    text: str


class Label(NamedTuple):
    """The left end and the middle line of a label, and whether it is so far away that a line must lead to it."""

    x: float
    y: float
    far: bool


class Box(NamedTuple):
    """A rectangle in pixels from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The area that is in both."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0


# On which side of its mark a label lies, best first; above and below it may also end where the mark ends.
_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_RINGS = (4.0, 14.0, 26.0, 40.0, 56.0, 74.0)


def labels(points: Sequence[Point], width: float, height: float, free_of: Sequence[Box] = ()) -> list[Label | None]:
    """A place for each point's label, the first points choosing first; None where there is no free place.

    No label covers a box of `free_of`, nor the line to another one where there is another place.
    """
    taken, texts, leaders = [*free_of, *map(around, points)], list[Box](), list[Box]()
    found: list[Label | None] = []
    for point in points:
        place = _free(point, taken + leaders, texts, width, height) or _free(point, taken, (), width, height)
        found.append(None)
        if place is not None:
            box, far = place
            taken.append(box)
            texts.append(box)
            leaders += [_leader(point, box)] if far else []
            found[-1] = Label(box.left, (box.top + box.bottom) / 2, far)
    return found


def around(point: Point) -> Box:
    """The box that a mark fills."""
    return Box(point.x - point.radius, point.y - point.radius, point.x + point.radius, point.y + point.radius)


def _leader(point: Point, label: Box) -> Box:
    """What the line from a mark to its label may cover, up to both."""
    across = sorted((point.x, min(max(point.x, label.left), label.right)))
    mark = around(point)
    ends = (label.bottom, mark.top) if label.bottom < point.y else (mark.bottom, label.top)
    return Box(across[0] - 1, min(ends), across[1] + 1, max(ends))


def _free(
    point: Point, taken: Sequence[Box], texts: Sequence[Box], width: float, height: float
) -> tuple[Box, bool] | None:
    half_width, half_height = len(point.text) * CHARACTER_PX / 2, LINE_PX / 2
    for gap in _RINGS:
        for right, down in _SIDES:
            aside = half_width - point.radius if down else half_width + point.radius + gap
            x = point.x + right * aside
            y = point.y + down * (half_height + point.radius + gap - 2)
            box = Box(x - half_width, y - half_height, x + half_width, y + half_height)
            inside = box.left >= 0 and box.top >= 0 and box.right <= width and box.bottom <= height
            far = gap > _RINGS[0]
            crossing = far and any(_leader(point, box).overlap(other) for other in texts)
            if inside and not crossing and not any(box.overlap(other) for other in taken):
                return box, far
    return None
