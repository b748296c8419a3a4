from hypothesis import given, settings
from hypothesis import strategies as st

from compress.report.pages.pictures.placement import CHARACTER_PX, LINE_PX, Box, Point, labels

WIDTH, HEIGHT = 600.0, 300.0
POINTS = st.lists(
    st.builds(
        Point,
        x=st.floats(20, WIDTH - 20),
        y=st.floats(20, HEIGHT - 20),
        radius=st.floats(2, 18),
        text=st.text("abc ", min_size=1, max_size=20),
    ),
    max_size=12,
)


def boxes(points, found):
    return [
        (label.x, label.y - LINE_PX / 2, label.x + len(point.text) * CHARACTER_PX, label.y + LINE_PX / 2)
        for point, label in zip(points, found, strict=True)
        if label is not None
    ]


def overlap(one, other):
    slack = 1e-6
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > slack and min(one[3], other[3]) - max(one[1], other[1]) > slack
    )


@settings(deadline=None)
@given(POINTS)
def test_no_label_covers_another_a_mark_or_the_edge(points):
    found = labels(points, WIDTH, HEIGHT)
    placed = boxes(points, found)
    marks = [(p.x - p.radius, p.y - p.radius, p.x + p.radius, p.y + p.radius) for p in points]
    for number, box in enumerate(placed):
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= WIDTH
        assert box[3] <= HEIGHT
        assert not any(overlap(box, other) for other in placed[:number] + marks)


def test_the_line_to_a_label_crosses_no_other_where_there_is_another_place():
    points = [Point(100, 100, 4, "the first of all marks"), Point(150, 116, 4, "next")]
    hemmed = [Box(0, 108, 140, 125), Box(160, 108, 400, 125), Box(90, 126, 260, 143)]  # left, right and below
    first, second = labels(points, WIDTH, HEIGHT, hemmed)
    assert (first.x, first.y) == (108.0, 100.0)
    assert second.y == 151.0  # not above, beyond the first one's label


def test_what_shall_stay_free_stays_free():
    beside = Box(104, 90, 300, 110)
    (label,) = labels([Point(100, 100, 4, "tiny")], WIDTH, HEIGHT, [beside])
    assert label.x + 4 * CHARACTER_PX <= 104


def test_a_lone_label_stands_to_the_right_of_its_mark():
    (label,) = labels([Point(100, 100, 10, "tiny")], WIDTH, HEIGHT)
    assert (label.x, label.y, label.far) == (114.0, 100.0, False)


def test_a_label_without_room_is_left_out():
    assert labels([Point(20, 20, 5, "a name far too long")], 40, 40) == [None]
