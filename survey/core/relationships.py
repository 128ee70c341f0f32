"""Who rates whom: the relationships, which of them are anonymous, and which of these are colleagues."""

from __future__ import annotations

from enum import StrEnum


class Relationship(StrEnum):
    """How a rater stands to the subject of a review. Bound to the invitation; never changed after launch."""

    SELF = "self"
    MANAGER = "manager"
    PEER = "peer"
    DIRECT_REPORT = "direct_report"
    OTHER = "other"
    OUTSIDE = "outside"  # whom the launcher could have made up (core.nominations.is_outside)

    @property
    def label(self) -> str:
        """The name of a single rater of this kind, in the subject's eyes."""
        return _LABELS[self][0]

    @property
    def plural(self) -> str:
        """The name of the group."""
        return _LABELS[self][1]

    @property
    def with_article(self) -> str:
        """A single rater of this kind, to be read after "as"."""
        article = {Relationship.MANAGER: "the", Relationship.OUTSIDE: "an"}.get(self, "a")
        return f"{article} {self.label}"

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
    Relationship.OUTSIDE: ("outside rater", "Outside raters"),
}

ATTRIBUTED = frozenset({Relationship.SELF, Relationship.MANAGER})

ANONYMOUS = tuple(relationship for relationship in Relationship if relationship not in ATTRIBUTED)
"""The anonymous relationships, in the order in which reports show them."""

COLLEAGUES = tuple(relationship for relationship in ANONYMOUS if relationship is not Relationship.OUTSIDE)
"""R9: those who may be pooled with each other, and never with outside raters."""
