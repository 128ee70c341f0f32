"""How an open review is going, from counts alone, and what may still be changed about who is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from survey.core.errors import IllegalStep
from survey.core.relationships import ATTRIBUTED, COLLEAGUES, Relationship

NOTICE = timedelta(days=5)
"""So much time a rater who is asked later must still have: for an invitation, and for one reminder."""

SOON = timedelta(days=3)


class Outlook(StrEnum):
    """Whether a review will have enough answers for a report that shows something."""

    ENOUGH = "enough"
    UNDER_WAY = "under_way"
    AT_RISK = "at_risk"
    OUT_OF_REACH = "out_of_reach"

    @property
    def label(self) -> str:
        """The outlook in words for people."""
        return _LABELS[self]


_LABELS = {
    Outlook.ENOUGH: "enough",
    Outlook.UNDER_WAY: "under way",
    Outlook.AT_RISK: "at risk",
    Outlook.OUT_OF_REACH: "cannot be reached",
}


@dataclass(frozen=True)
class Participation:
    """How a review is going: how many are asked and have answered, of all relationships together."""

    invited: int
    answered: int
    outlook: Outlook


def judge(
    invited: Mapping[Relationship, int], *, answered: int, declined: int, k: int, left: timedelta
) -> Participation:
    """What a launcher is told of a review.

    `invited` counts who is asked per relationship, and is known to the launcher; `answered` and `declined` count all
    relationships together, also of those who were replaced or withdrawn. All but the colleagues are reckoned to have
    answered first, so that "enough" never promises too much. Nothing in here depends on who it was.
    """
    asked = sum(invited.values())
    colleagues = sum(invited.get(relationship, 0) for relationship in COLLEAGUES)
    largest = max(colleagues, asked - colleagues - sum(invited.get(relationship, 0) for relationship in ATTRIBUTED))
    answered = shown(answered, asked)
    if answered - (asked - colleagues) >= k:
        outlook = Outlook.ENOUGH
    elif largest - declined < k:
        outlook = Outlook.OUT_OF_REACH
    else:
        outlook = Outlook.AT_RISK if left <= SOON else Outlook.UNDER_WAY
    return Participation(asked, answered, outlook)


def shown(answered: int, asked: int) -> int:
    """How many answers may be spoken of where so many are asked: never more than these.

    Whoever was replaced or withdrawn may have answered, and is not asked any more. A larger number would tell.
    """
    return min(answered, asked)


def require_notice(closes_at: datetime, now: datetime) -> None:
    """Raises `IllegalStep` when whoever is asked now would have too little time."""
    if closes_at - now < NOTICE:
        raise IllegalStep(
            f"Whoever is asked now would have less than {NOTICE.days} days. Move the end first, then add them."
        )
