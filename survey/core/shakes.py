"""When the box is shaken, and what goes into one shake: the envelopes of a review are rewritten together.

Somebody with the key and one copy of the database can tell who wrote what came since then, and nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

HANDFUL = 4
"""So many new answers have the box shaken at once."""

EVERY = 5.0
"""Seconds between two looks whether there is a handful."""

AT_THE_LATEST = 60.0
"""Seconds after which it is shaken for a single new answer."""

EXPECTED = 2 * HANDFUL
"""How many answers may wait for a shake: more say that nothing shakes, or that it cannot keep up."""

COMPANY = 500
"""Envelopes that are rewritten at least, where there are as many: it does not show which reviews had new ones."""

PORTION = 500
"""Envelopes that are rewritten in one transaction, about: on SQLite an answer waits for its end."""


@dataclass(frozen=True)
class Held:
    """A review, how many envelopes it has, and how many it had when they were last shaken."""

    review_id: uuid.UUID
    answers: int
    shaken: int

    @property
    def has_new(self) -> bool:
        """Whether an answer came since then."""
        return self.answers > self.shaken


def portions(held: Iterable[Held], *, shuffle: Callable[[list[Any]], None]) -> list[list[uuid.UUID]]:
    """Which reviews are shaken now, by transaction: those with something new, in the company of others."""
    reviews = list(held)
    shuffle(reviews)
    chosen = [review for review in reviews if review.has_new]
    if not chosen:
        return []
    size = sum(review.answers for review in chosen)
    for review in reviews:
        if not review.has_new and size < COMPANY:
            chosen.append(review)
            size += review.answers
    shuffle(chosen)
    return _divided(chosen)


def _divided(reviews: Iterable[Held]) -> list[list[uuid.UUID]]:
    """These reviews in transactions that are not much larger than a portion."""
    found: list[list[uuid.UUID]] = [[]]
    size = 0
    for review in reviews:
        if size >= PORTION:
            found.append([])
            size = 0
        found[-1].append(review.review_id)
        size += review.answers
    return found
