"""Who rates whom: the five relationships, and which of them are anonymous."""

from __future__ import annotations

from enum import StrEnum


class Relationship(StrEnum):
    """How a rater stands to the subject of a review. Bound to the invitation; never changed after launch."""

    SELF = "self"
    MANAGER = "manager"
    PEER = "peer"
    DIRECT_REPORT = "direct_report"
    OTHER = "other"

    @property
    def label(self) -> str:
        """The name of a single rater of this kind, in the subject's eyes."""
        return _LABELS[self][0]

    @property
    def plural(self) -> str:
        """The name of the group."""
        return _LABELS[self][1]

    @property
    def is_anonymous(self) -> bool:
        """Whether answers are never shown as one person's. Self and manager are attributed, and told so."""
        return self not in ATTRIBUTED


_LABELS = {
    Relationship.SELF: ("yourself", "Self"),
    Relationship.MANAGER: ("manager", "Manager"),
    Relationship.PEER: ("peer", "Peers"),
    Relationship.DIRECT_REPORT: ("direct report", "Direct reports"),
    Relationship.OTHER: ("colleague", "Others"),
}

ATTRIBUTED = frozenset({Relationship.SELF, Relationship.MANAGER})

ANONYMOUS = tuple(relationship for relationship in Relationship if relationship not in ATTRIBUTED)
"""The anonymous relationships, in the order in which reports show them."""
