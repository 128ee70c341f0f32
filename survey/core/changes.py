"""Change since the last round: the same sentence on the same scale, from figures that both reports show anyway.

Nothing here rests on a rating. Whoever may read a report may read the earlier one of the same person, and could
work out every figure below from the two; see the threat model on what two rounds tell together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from survey.core import labels, samples, statistics
from survey.core.disclosure import Cell, Group
from survey.core.labels import Change
from survey.core.questionnaires import Item, Part, Questionnaire, Scale
from survey.core.sections import Section

FOLLOWED = frozenset({Section.KEY_BEHAVIORS, Section.SUCCESS_INDICATORS, Section.MINDSET_SHIFT})
"""The sections whose figures are means, and so can be followed from round to round."""

_LASTING = frozenset(Group) - {Group.SELF, Group.MANAGER, Group.POOLED, Group.OUTSIDE}

Sentence = tuple[str, Section, str, str, Scale | None]
"""What must be the same in two rounds: competency, section, both sentences of a shift or the one, and the scale."""


@dataclass(frozen=True)
class Movement:
    """How far the mean of a group moved since the earlier round, in scale points, with Welch's interval.

    Of fewer than six raters the interval takes the typical spread of their round, as their mean does.
    """

    group: Group
    difference: float
    low: float | None
    high: float | None
    change: Change


@dataclass(frozen=True)
class Earlier:
    """What an earlier, released round about the same person published, and its typical spreads."""

    cycle: str
    questionnaire: Questionnaire
    cells: Sequence[Cell]
    spreads: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def by_sentence(self) -> Mapping[Sentence, Mapping[Group, Cell]]:
        """The cells of each sentence; one that was asked twice is left out, since neither is *the* same."""
        cells: dict[str, dict[Group, Cell]] = {}
        for cell in self.cells:
            cells.setdefault(cell.item, {})[cell.group] = cell
        found: dict[Sentence, Mapping[Group, Cell]] = {}
        twice = set()
        for part in self.questionnaire.parts:
            for item in part.items:
                sentence = sentence_of(part, item)
                if sentence in found:
                    twice.add(sentence)
                found[sentence] = cells.get(item.key, {})
        return {sentence: by_group for sentence, by_group in found.items() if sentence not in twice}


def sentence_of(part: Part, item: Item) -> Sentence:
    """What identifies an item from round to round."""
    return (part.competency, item.section, item.origin, item.text, item.scale)


def movements(
    part: Part,
    item: Item,
    cells: Mapping[Group, Cell],
    earlier: Earlier | None,
    *,
    k: int,
    typical: float | None = None,
) -> tuple[Movement, ...]:
    """How the groups of one item moved; empty where nothing can be compared.

    `typical` is the spread of this round on the item's scale. A band has no mean to compare. Pooled and outside raters
    are others in every round, so they are never compared; self and manager are single people, whose two ratings speak
    for themselves.
    """
    if earlier is None or item.scale is None or item.section not in FOLLOWED:
        return ()
    then, points = earlier.by_sentence.get(sentence_of(part, item), {}), item.scale.points
    found = []
    for group, cell in cells.items():
        if group not in _LASTING or group not in then:
            continue
        before = samples.of(then[group], points, earlier.spreads.get(points))
        after = samples.of(cell, points, typical)
        if before is None or after is None:
            continue
        change = labels.change(before, after, is_comparable=True, k=k)
        if change is not None:
            interval = statistics.welch_change(before, after)
            found.append(
                Movement(
                    group,
                    after.mean - before.mean,
                    interval.low if interval else None,
                    interval.high if interval else None,
                    change,
                )
            )
    return tuple(found)
