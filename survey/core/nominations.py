"""Who may be asked about whom, who is suggested, how far the choice is, and who is an outside rater (R9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from survey.core.cycles import Phase
from survey.core.errors import BadInput
from survey.core.relationships import Relationship

SILENCE = timedelta(days=2)
"""So long before a round opens, whatever was chosen until then is taken as approved."""

PEERS_SUGGESTED = range(5, 9)
"""How many peers make a report that can say something."""


BEFORE_THE_DRAFT = timedelta(days=30)
"""Whoever came so shortly before a round was begun has seen little of anybody's work, and could be made up for it."""

SET_UP = timedelta(days=1)
"""So long a directory is being filled for the first time, by one hand."""


VOUCHING = (Phase.DRAFT, Phase.NOMINATING, Phase.OPEN)
"""When somebody can still vouch for a rater of another company."""


class Choice(StrEnum):
    """How far the choice of a review's raters is."""

    OPEN = "open"
    PROPOSED = "proposed"
    APPROVED = "approved"

    @property
    def label(self) -> str:
        """The state in words for people."""
        return _LABELS[self]


_LABELS = {
    Choice.OPEN: "to be chosen",
    Choice.PROPOSED: "chosen, waits for the manager",
    Choice.APPROVED: "approved",
}


def check(subject: str, raters: Mapping[str, Relationship]) -> None:
    """Raises `BadInput` unless these raters (person id to relationship) may be asked about the person `subject`.

    One address is one person, and one person is one rater of a review; only the subject rates as self, and at
    most one person as the manager: a second one could be told apart by nobody.
    """
    for rater, relationship in raters.items():
        if (rater == subject) != (relationship is Relationship.SELF):
            raise BadInput("Only the person under review can be asked as “self”, and as nothing else.")
    if sum(relationship is Relationship.MANAGER for relationship in raters.values()) > 1:
        raise BadInput("Only one manager can be asked about a person; invite the second one as “other”.")


@dataclass(frozen=True)
class Touch:
    """When somebody brought a person into the directory, or to their address. `is_founding`: at its first filling."""

    at: datetime
    is_founding: bool


def counts_as_made_up(touch: Touch, begun_at: datetime | None) -> bool:
    """R9: whether somebody who sets up a round that was `begun_at` (None: nobody knows) could have made a person up.

    A directory that was filled before the round was begun is the company, though one hand filled it.
    """
    if begun_at is None:
        return True
    if touch.is_founding and touch.at <= begun_at:
        return False
    return touch.at > begun_at - BEFORE_THE_DRAFT


def may_vouch(person: str, *, subject: str, launcher: str, chosen_by: str | None, is_people_operations: bool) -> bool:
    """Whether the word of this person lets somebody of another company be asked about `subject`.

    It is that of the subject or of people operations, and never that of the launcher, or of who chose the rater.
    """
    if person in {launcher, chosen_by}:
        return False
    return person == subject or is_people_operations


def is_own_word(chosen_by: str | None, *, subject: str, launcher: str) -> bool:
    """Whether to choose a rater of another company was the subject's own wish already."""
    return chosen_by == subject != launcher


def chosen_as(kind: Relationship, *, is_external: bool) -> Relationship:
    """As what somebody is chosen: from another company always from outside, and a colleague never by choice.

    Raises `BadInput` for a manager from another company.
    """
    if is_external and kind is Relationship.MANAGER:
        raise BadInput("Nobody of another company can be asked as the manager. Ask them as an outside rater.")
    if is_external:
        return Relationship.OUTSIDE
    return Relationship.OTHER if kind is Relationship.OUTSIDE else kind


def approves_itself_at(opens_at: datetime) -> datetime:
    """When a choice that nobody approved is taken as approved."""
    return opens_at - SILENCE


def advice(raters: Mapping[str, Relationship], k: int) -> str:
    """One sentence on whether these are enough peers under the minimum `k`; empty when they are."""
    peers = sum(relationship is Relationship.PEER for relationship in raters.values())
    least = max(PEERS_SUGGESTED[0], k + 1)
    if peers < least:
        return f"{peers} peers are few: with at least {least}, one or two may stay silent and the report still speaks."
    if peers > PEERS_SUGGESTED[-1] + 4:
        return f"{peers} peers are many: {PEERS_SUGGESTED[0]} to {PEERS_SUGGESTED[-1]} who know the work say as much."
    return ""
