"""What is asked: a questionnaire is built from competency pages once, at launch, and never changes.

Every item keeps where it came from, so that a report can lead back to the sentence and to the habits beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from survey.core import values
from survey.core.competencies import Page, Section
from survey.core.errors import BadInput
from survey.core.relationships import ANONYMOUS, Relationship


@dataclass(frozen=True)
class Scale:
    """Labelled points from 1 upward, and an opt-out that is never a number."""

    labels: tuple[str, ...]
    opt_out: str

    @property
    def points(self) -> int:
        """How many points there are; ratings run from 1 to this."""
        return len(self.labels)


FREQUENCY = Scale(("Never", "Rarely", "Sometimes", "Often", "Always"), "Not observed")
SEEN = Scale(("Not seen", "Seen lately"), "Cannot say")
READINESS = Scale(("Not yet", "Yes"), "Cannot say")
SHIFT = Scale(
    ("All of the first", "More of the first", "In between", "More of the second", "All of the second"), "Cannot say"
)


@dataclass(frozen=True)
class Item:
    """One thing to rate (`scale` is set) or one open question (`scale` is None)."""

    key: str
    section: Section
    text: str
    scale: Scale | None
    asked: frozenset[Relationship]
    origin: str = ""  # The mindset shift alone: the sentence to come from; `text` is the one to go to.

    @property
    def is_open(self) -> bool:
        """Whether the answer is a text."""
        return self.scale is None

    def is_put_to(self, relationship: Relationship) -> bool:
        """Whether raters of this relationship are asked.

        Outside raters are asked what other colleagues are, also in rounds that were opened when none were known.
        """
        same = Relationship.OTHER if relationship is Relationship.OUTSIDE else relationship
        return same in self.asked

    @property
    def is_private(self) -> bool:
        """Whether the answer is for the subject alone."""
        return self.section is Section.QUESTIONS_TO_ASK_YOURSELF


@dataclass(frozen=True)
class Part:
    """The items of one competency page, with the words that stand above them."""

    page: str
    competency: str
    level: int | None
    version: int
    intro: str
    items: tuple[Item, ...]

    @property
    def title(self) -> str:
        """The competency and, where the page states one, its level."""
        return self.competency if self.level is None else f"{self.competency}, level {self.level}"


@dataclass(frozen=True)
class Questionnaire:
    """All parts of a review. `for_rater` gives what one relationship is asked."""

    parts: tuple[Part, ...]

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every item of every part, in order."""
        return tuple(item for part in self.parts for item in part.items)

    def for_rater(self, relationship: Relationship) -> Questionnaire:
        """The same questionnaire with only the items that this relationship is asked."""
        return Questionnaire(
            tuple(
                Part(
                    part.page,
                    part.competency,
                    part.level,
                    part.version,
                    part.intro,
                    tuple(item for item in part.items if item.is_put_to(relationship)),
                )
                for part in self.parts
            )
        )

    @cached_property
    def fingerprint(self) -> str:
        """A short digest that changes with any word: a form filled in against another text is recognised."""
        plain = json.dumps(values.dump(self), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:16]

    @property
    def minutes(self) -> int:
        """Estimated minutes to answer: 12 seconds a rating, 45 an open question, rounded up.

        An estimate until rounds have been timed by people; nothing about a rater is measured for it.
        """
        seconds = sum(45 if item.is_open else 12 for item in self.items)
        return max(1, -(-seconds // 60))


@lru_cache(maxsize=128)
def parsed(plain: str) -> Questionnaire:
    """The questionnaire in this JSON, as a row stores it. The same text is parsed once: many reviews ask the same."""
    return values.load(Questionnaire, json.loads(plain))


EVERYBODY = frozenset(Relationship)
OTHERS_THAN_SELF = frozenset({Relationship.MANAGER, *ANONYMOUS})
ONLY_SELF = frozenset({Relationship.SELF})
SELF_AND_MANAGER = frozenset({Relationship.SELF, Relationship.MANAGER})

# Which part of a page becomes what: on which scale it is rated (None: an open question), and who is asked.
_ASKED: dict[Section, tuple[Scale | None, frozenset[Relationship]]] = {
    Section.KEY_BEHAVIORS: (FREQUENCY, EVERYBODY),
    Section.SUCCESS_INDICATORS: (FREQUENCY, EVERYBODY),
    Section.MINDSET_SHIFT: (SHIFT, EVERYBODY),
    Section.COMMON_STRUGGLES: (SEEN, EVERYBODY),
    Section.SIGNALS_READY_TO_LEVEL_UP: (READINESS, SELF_AND_MANAGER),
    Section.SEEK_FEEDBACK: (None, OTHERS_THAN_SELF),
    Section.QUESTIONS_TO_ASK_YOURSELF: (None, ONLY_SELF),
}

BLOCKS = tuple(_ASKED)
"""The sections that a survey can ask about, in the order in which it asks."""

ALWAYS_ON = frozenset({Section.SUCCESS_INDICATORS, Section.SEEK_FEEDBACK})
ON_BY_DEFAULT = ALWAYS_ON | {
    Section.KEY_BEHAVIORS,
    Section.MINDSET_SHIFT,
    Section.QUESTIONS_TO_ASK_YOURSELF,
}


def check_frequency(labels: Sequence[str], opt_out: str) -> Scale:
    """The frequency scale with these words, five from least to most. Raises `BadInput` for a missing or double one."""
    words = [" ".join(label.split()) for label in (*labels, opt_out)]
    if len(words) != FREQUENCY.points + 1 or not all(words):
        raise BadInput("Each of the five points needs a word, and so does the way out.")
    if len({word.casefold() for word in words}) < len(words):
        raise BadInput("Two points have the same word; raters could not tell them apart.")
    if any(len(word) > LONGEST_LABEL for word in words):
        raise BadInput(f"A point's word may have {LONGEST_LABEL} characters, so that it fits on a phone.")
    return Scale(tuple(words[:-1]), words[-1])


LONGEST_LABEL = 24


def build(
    pages: Sequence[tuple[str, int, str, Page]],
    *,
    blocks: Iterable[Section] = ON_BY_DEFAULT,
    frequency: Scale = FREQUENCY,
) -> Questionnaire:
    """The questionnaire of these pages, each given as (page id, version, competency's name, page).

    `blocks` are the sections that the launcher left on; those of `ALWAYS_ON` are asked in any case. An item's
    key is `<number of the page>.<section>.<number of the sentence>`, unique within the questionnaire.
    """
    on = frozenset(blocks) | ALWAYS_ON
    return Questionnaire(
        tuple(
            Part(
                page=page_id,
                competency=competency,
                level=page.level,
                version=version,
                intro=page.intro,
                items=tuple(
                    item for section in BLOCKS if section in on for item in _items(number, section, page, frequency)
                ),
            )
            for number, (page_id, version, competency, page) in enumerate(pages, 1)
        )
    )


def _items(number: int, section: Section, page: Page, frequency: Scale) -> list[Item]:
    scale, asked = _ASKED[section]
    if scale is FREQUENCY:
        scale = frequency
    if section is Section.MINDSET_SHIFT:
        shift = page.mindset_shift
        if shift is None:
            return []
        return [Item(f"{number}.{section}.1", section, shift.target, scale, asked, origin=shift.origin)]
    return [
        Item(f"{number}.{section}.{position}", section, text, scale, asked)
        for position, text in enumerate(page.items(section), 1)
    ]
