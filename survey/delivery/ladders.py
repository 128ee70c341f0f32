"""This level and the next on one line for every voice: what is done, what is not yet, and what cannot be told."""

from __future__ import annotations

from markupsafe import Markup

from survey.core import sentences
from survey.core.readiness import Answer, Readiness
from survey.delivery import marks
from survey.delivery.marks import WIDTH

LEFT, RIGHT, GAP = 130, 352, 30  # where answers begin and end; between this level and the next
TOP, LANE = 34, 27
STEP = 24  # from one answer to the next, where there is room


def ladder(readiness: Readiness, name: str | None = None) -> Markup:
    """A lane for each voice: a mark for each indicator of this level, then one for each signal of the next.

    A full dot is yes, a ring not yet, a dash cannot say. `name` is the subject's where somebody else reads.
    """
    here, there = len(readiness.indicators), len(readiness.signals)
    step = min(STEP, (RIGHT - LEFT - GAP) / max(here + there, 1))
    border = round(LEFT + step * here + GAP / 2 - step / 4, 1)
    beyond = border + GAP / 2
    lanes = []
    for number, voice in enumerate(readiness.voices):
        y = TOP + LANE * number + LANE // 2
        answers = [_mark(answer, LEFT + step * place) for place, answer in enumerate(voice.indicators)]
        answers += [_mark(answer, beyond + step * place) for place, answer in enumerate(voice.signals)]
        lanes.append(
            Markup('<g transform="translate(0 {})"><text class="name" x="0" y="5">{}</text>{}</g>').format(
                y, _short(sentences.voice(voice, name)), marks.join(answers)
            )
        )
    floor = TOP + LANE * len(readiness.voices)
    return Markup(
        '<svg class="figure" viewBox="0 0 {width} {height}" role="img" aria-label="{words}">'
        '<text class="end" x="{left}" y="16">This level</text><text class="end" x="{beyond}" y="16">The next</text>'
        '<path class="axis" d="M{border} 6V{floor}"/>{lanes}<g transform="translate(0 {key})">{legend}</g></svg>'
    ).format(
        width=WIDTH,
        height=floor + 34,
        words=" ".join(sentences.readiness(readiness, name)),
        left=LEFT - 6,
        beyond=round(beyond - 6, 1),
        border=border,
        floor=floor,
        lanes=marks.join(lanes),
        key=floor + 20,
        legend=_legend(),
    )


def _legend() -> Markup:
    places = ((Answer.YES, LEFT), (Answer.NOT_YET, LEFT + 52), (Answer.CANNOT_SAY, LEFT + 130))
    return marks.join(
        _mark(answer, x) + Markup('<text class="end" x="{}" y="5">{}</text>').format(x + 11, answer.label.lower())
        for answer, x in places
    )


def _mark(answer: Answer, x: float) -> Markup:
    if answer is Answer.CANNOT_SAY:
        return Markup('<path class="is-{}" d="M{} 0h9"/>').format(answer, round(x - 4.5, 1))
    return Markup('<circle class="is-{}" cx="{}" cy="0" r="5.5"/>').format(answer, round(x, 1))


def _short(label: str) -> str:
    return label if len(label) <= 17 else f"{label[:16].rstrip()}…"
