"""Who may be asked about whom, who is suggested, and how far the choice is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from survey.core.errors import BadInput
from survey.core.relationships import Relationship

SILENCE = timedelta(days=2)
"""So long before a round opens, whatever was chosen until then is taken as approved."""

PEERS_SUGGESTED = range(5, 9)
"""How many peers make a report that can say something."""


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
