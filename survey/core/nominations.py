"""Who may be asked about whom."""

from __future__ import annotations

from collections.abc import Mapping

from survey.core.errors import BadInput
from survey.core.relationships import Relationship


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
