"""Where everybody sees the engineer between the two sentences of a mindset shift: all marks on one line."""

from __future__ import annotations

from markupsafe import Markup

from survey.core.rows import Row
from survey.delivery import marks
from survey.delivery.marks import WIDTH, Voice

LEFT, RIGHT = 20, 340
LEVEL = 21  # the height of a line of words above or below the line
RING = 10  # so wide that the ring goes round whatever lies at the same place
ROOM = 150  # what the longest name may need beside its mark


def line(row: Row, own_label: str = "Self") -> Markup:
    """The line from the first sentence to the second, with single people named above it and groups below.

    Each name stands at a height of its own, so that marks at the same place never hide a name.
    """
    points = len(row.scale)

    def at(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - 1) / (points - 1), 1)

    voices = marks.voices(row, at, own_label, ring=RING, has_columns=False)
    above = [voice for voice in voices if voice.n is None]
    below = [voice for voice in voices if voice.n is not None]
    middle = 16 + LEVEL * len(above)
    placed = [(voice, -15 - LEVEL * level, above[level + 1 :]) for level, voice in enumerate(above)]
    placed += [(voice, 28 + LEVEL * level, below[level + 1 :]) for level, voice in enumerate(below)]
    return Markup(
        '<svg class="figure figure-shift" viewBox="0 0 {width} {height}" role="img" aria-label="{words}">'
        '<g transform="translate(0 {middle})"><path class="axis" d="M{left} 0H{right}"/>{ticks}{threads}{names}{marks}'
        "</g></svg>"
    ).format(
        width=WIDTH,
        height=middle + 18 + LEVEL * len(below),
        words=marks.in_words(row, voices, f"The line runs from 1, “{row.origin}”, to {points}, “{row.text}”."),
        middle=middle,
        left=LEFT,
        right=RIGHT,
        ticks=marks.join(
            Markup('<path class="tick" d="M{} -5v10"/>').format(at(point)) for point in range(1, points + 1)
        ),
        threads=marks.join(_thread(voice, y) for voice, y, _ in placed),
        names=marks.join(_name(voice, y, beyond) for voice, y, beyond in placed),
        # Groups first, so that a single person's mark lies on top, and the ring of self goes round all others.
        marks=marks.join(voice.mark for voice in [*below, *above[::-1]]),
    )


def _thread(voice: Voice, y: int) -> Markup:
    """From the mark to its name."""
    return Markup('<path class="leader" d="M{} 0V{}"/>').format(voice.x, y - 6)


def _name(voice: Voice, y: int, beyond: list[Voice]) -> Markup:
    """The name beside its thread, on the side on which the threads of those beyond do not run, if there is room."""
    is_left = any(other.x >= voice.x for other in beyond)
    if voice.x < LEFT + ROOM:
        is_left = False
    elif voice.x > RIGHT - ROOM:
        is_left = True
    number = f" ({voice.n})" if voice.n is not None else ""
    return Markup('<text class="name" x="{}" y="{}"{}>{}{} <tspan class="value">{}</tspan></text>').format(
        round(voice.x - 5 if is_left else voice.x + 5, 1),
        y,
        Markup(' text-anchor="end"') if is_left else "",
        voice.name,
        number,
        voice.value,
    )
