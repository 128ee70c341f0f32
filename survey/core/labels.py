"""Words for figures, given only when the ratings bear them: no word follows from a mean alone.

The rules are stated for five points; on other scales their cuts keep their place between the ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from survey.core.statistics import (
    DISTRIBUTION_FROM,
    Interval,
    Sample,
    average_deviation,
    length,
    place,
    polarisation,
    ratings_of,
    welch_change,
)


class Word(StrEnum):
    """A word with a fixed code, which is stored, and a `label`, which people read."""

    label: str

    def __new__(cls, code: str, label: str) -> Self:
        """A member is written as its code and its label."""
        word = str.__new__(cls, code)
        word._value_ = code
        word.label = label
        return word


class Perception(Word):
    """How the self-rating stands to the ratings of others."""

    HIGHER = "higher", "You see this higher than others do"
    LOWER = "lower", "You see this lower than others do"
    NO_CLEAR_DIFFERENCE = "no_clear_difference", "No clear difference"
    TOO_FEW = "too_few", "Too few answers to tell"

    @classmethod
    def _missing_(cls, value: object) -> Perception | None:
        # Reports of earlier versions claimed closeness, which an interval of so few ratings cannot show.
        return cls.NO_CLEAR_DIFFERENCE if value == "about_the_same" else None


class Standing(Word):
    """What others say of a behavior, whatever the engineer says."""

    STRENGTH = "strength", "Strength"
    DEVELOPMENT = "development", "Development area"
    NEITHER = "neither", "Neither a clear strength nor a clear development area"


class Johari(Word):
    """What others say of a behavior, beside whether the engineer says it too."""

    BLIND_SPOT = "blind_spot", "Blind spot"
    HIDDEN_STRENGTH = "hidden_strength", "Hidden strength"
    KNOWN_STRENGTH = "known_strength", "Known strength"
    KNOWN_GAP = "known_gap", "Known gap"


class Spread(Word):
    """How far others agree among themselves."""

    AGREE = "agree", "People agree"
    DIFFER = "differ", "Views differ"
    TWO_CAMPS = "two_camps", "Two camps"


class Change(Word):
    """How two cycles differ."""

    CLEAR = "clear", "Clearer than chance"
    UNCLEAR = "unclear", "No clear change"


def perception(self_rating: float, mean: float, interval: Interval | None, *, points: int = 5) -> Perception:
    """Whether the engineer sees this higher or lower: by half a point or more, and outside others' interval.

    `mean` and `interval` are those of the others' ratings; without an interval (a single rating) and with one
    wider than two points the answers are too few. Higher means nearer to `points`, whichever end is the
    better one. What is left says that no difference was found, not that there is none.
    """
    if interval is None:
        return Perception.TOO_FEW
    gap = self_rating - mean
    if abs(gap) >= length(0.5, points) and not interval.contains(self_rating):
        return Perception.HIGHER if gap > 0 else Perception.LOWER
    return Perception.TOO_FEW if interval.width > length(2, points) else Perception.NO_CLEAR_DIFFERENCE


def standing(interval: Interval | None, *, points: int = 5, more_is_worse: bool = False) -> Standing:
    """Strength when the whole interval is at 3.5 or above, development area when it is at 3.0 or below.

    `interval` is that of the others' mean. Where more is worse the scale is turned round first.
    """
    if interval is None:
        return Standing.NEITHER
    upward = interval.mirrored(points) if more_is_worse else interval
    if upward.low >= place(3.5, points):
        return Standing.STRENGTH
    return Standing.DEVELOPMENT if upward.high <= place(3.0, points) else Standing.NEITHER


def johari(
    self_rating: float,
    standing: Standing,
    perception: Perception,
    *,
    points: int = 5,
    more_is_worse: bool = False,
) -> Johari | None:
    """The Johari word, or None when others' ratings make neither a strength nor a development area.

    Others' side is their `standing`; the engineer's side is a self-rating of 4 ("often") or above, a fixed cut. A
    word that says the two differ is given only where the `perception` says so too.
    """
    if standing is Standing.NEITHER:
        return None
    upward = points + 1 - self_rating if more_is_worse else self_rating
    claims = upward >= place(4, points)
    if claims is (standing is Standing.STRENGTH):
        return Johari.KNOWN_STRENGTH if claims else Johari.KNOWN_GAP
    if perception not in {Perception.HIGHER, Perception.LOWER}:
        return None
    return Johari.BLIND_SPOT if claims else Johari.HIDDEN_STRENGTH


def spread(counts: Sequence[int]) -> Spread | None:
    """How far the raters agree; `counts` has one number per point. None below `DISTRIBUTION_FROM` raters.

    Two camps: polarisation above 0.8. Agreement: an average deviation below a sixth of the points (Burke &
    Dunlap 2002).
    """
    if sum(counts) < DISTRIBUTION_FROM:
        return None
    ratings, points = ratings_of(counts), len(counts)
    if polarisation(ratings, points=points) > 0.8:
        return Spread.TWO_CAMPS
    return Spread.AGREE if average_deviation(ratings) < points / 6 else Spread.DIFFER


def change(before: Sample, after: Sample, *, is_comparable: bool, k: int) -> Change | None:
    """Whether two cycles differ by more than chance would explain: their Welch interval leaves out 0.

    `is_comparable` says that wording and scale were the same. None where they were not, or where a cycle has
    fewer than `k` ratings: nothing can be said then, not even that there is no change.
    """
    if not is_comparable or min(before.n, after.n) < k:
        return None
    difference = welch_change(before, after)
    if difference is None or difference.contains(0):
        return Change.UNCLEAR
    return Change.CLEAR
