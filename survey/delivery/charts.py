"""What everybody sees of one behavior, on one axis, as hand-made SVG, and the same in words."""

from __future__ import annotations

from markupsafe import Markup

from survey.core.rows import Row
from survey.delivery import marks
from survey.delivery.marks import WIDTH, Voice

LEFT, RIGHT = 130, 310  # where the first and the last point of the scale lie
TOP, LANE, LINE = 6, 27, 18  # above the first lane; the height of a lane; the height of a line of words
ROOM = 25  # characters that both end labels may have together on one line
LONGEST = 32


def axis(row: Row, own_label: str = "Self") -> Markup:
    """The figure of a row: a lane each for self, the groups that are shown, and the manager, on one axis.

    Columns behind the mark of a group say how many chose each point, where that may be shown. The text alternative
    says every value.
    """
    points = len(row.scale)

    def at(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - 1) / (points - 1), 1)

    lanes = marks.voices(row, at, own_label)
    floor = TOP + LANE * len(lanes) + 4
    ends, lines = _ends(row.scale, floor)
    scale = f"The scale runs from 1, {row.scale[0]}, to {points}, {row.scale[-1]}."
    return Markup(
        '<svg class="figure" viewBox="0 0 {width} {height}" role="img" aria-label="{words}">{ticks}'
        '<path class="axis" d="M{left} {floor}H{right}"/>{lanes}{ends}</svg>'
    ).format(
        width=WIDTH,
        height=floor + LINE * lines + 6,
        words=marks.in_words(row, lanes, scale),
        ticks=marks.join(
            Markup('<path class="tick" d="M{} {}V{}"/>').format(at(point), TOP, floor + 4)
            for point in range(1, points + 1)
        ),
        left=LEFT,
        floor=floor,
        right=RIGHT,
        lanes=marks.join(_drawn(lane, TOP + LANE * number + LANE // 2) for number, lane in enumerate(lanes)),
        ends=ends,
    )


def _drawn(lane: Voice, y: int) -> Markup:
    return Markup(
        '<g transform="translate(0 {})"><text class="name" x="0" y="5">{}{}</text>{}'
        '<text class="value" x="{}" y="5">{}</text></g>'
    ).format(y, lane.name, _number(lane), lane.mark, RIGHT + 14, lane.value)


def _number(lane: Voice) -> Markup:
    return Markup("") if lane.n is None else Markup(" ({})").format(lane.n)


def _ends(scale: tuple[str, ...], floor: int) -> tuple[Markup, int]:
    """The labels of both ends below the axis, and on how many lines they stand: long ones below each other."""
    first, last = _short(scale[0]), _short(scale[-1])
    lines = 1 if len(first) + len(last) <= ROOM else 2
    drawn = Markup(
        '<text class="end" x="{}" y="{}">{}</text><text class="end" x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT - 4, floor + LINE, first, RIGHT + 4, floor + LINE * lines, last)
    return drawn, lines


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1].rstrip()}…"
