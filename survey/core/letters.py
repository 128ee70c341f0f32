"""What a mail says, as a value: made where the rows are, rendered and sent where they are not."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from survey.core.relationships import Relationship


class Kind(StrEnum):
    """What a mail is about; templates/email has a folder of the same name."""

    SIGN_IN = "sign_in"
    INVITATION = "invitation"
    REMINDER = "reminder"
    REPORT = "report"
    NOMINATION = "nomination"
    APPROVAL = "approval"
    NOT_OPENED = "not_opened"
    LOCKED = "locked"  # a closed round waits for its passphrase
    OBJECTION = "objection"
    NO_REPORT = "no_report"
    CHECK_IN = "check_in"
    TEAM_REPORTS = "team_reports"  # a manager may read the reports of those who report to them


@dataclass(frozen=True)
class Colleague:
    """Somebody about whom a mail asks."""

    name: str
    relationship: Relationship
    minutes: int

    @property
    def about(self) -> str:
        """Whom the mail asks about, as whom, and how long it takes."""
        time = f"about {self.minutes} minute{'s' if self.minutes != 1 else ''}"
        if self.relationship is Relationship.SELF:
            return f"Yourself, {time}"
        article = "the" if self.relationship is Relationship.MANAGER else "a"
        return f"{self.name}, as {article} {self.relationship.label}, {time}"


@dataclass(frozen=True)
class Letter:
    """Everything that a mail says. The token is in here and nowhere else; `message_id` is the same at every attempt."""

    kind: Kind
    address: str
    name: str
    message_id: str
    token: str = field(default="", repr=False)
    cycle: str = ""
    closes_at: datetime | None = None
    k: int = 0
    colleagues: tuple[Colleague, ...] = ()
    review_id: uuid.UUID | None = None
    cycle_id: uuid.UUID | None = None
    subjects: tuple[str, ...] = ()
    greeting: str = ""
    held_until: datetime | None = None

    @property
    def secrecy(self) -> str:
        """Who stays anonymous, and how: only what holds for the people this mail asks about."""
        asked_as = {colleague.relationship for colleague in self.colleagues}
        sentences = []
        if any(relationship.is_anonymous for relationship in asked_as):
            sentences.append(
                "Peers, direct reports and others answer anonymously: answers are stored without a name, sealed until "
                f"the round closes, and no figure is shown that rests on fewer than {self.k} people."
            )
        if Relationship.MANAGER in asked_as:
            sentences.append("What you say as the manager is shown as yours.")
        if Relationship.SELF in asked_as:
            sentences.append(
                "What you say about yourself is shown as yours, to you and your manager; your reflections, to you "
                "alone."
            )
        return " ".join(sentences)

    @property
    def path(self) -> str:
        """Where its link leads, below the installation's address."""
        paths = {
            Kind.SIGN_IN: f"/sign-in/{self.token}",
            Kind.REPORT: f"/reports/{self.review_id}",
            Kind.NO_REPORT: f"/reports/{self.review_id}",
            Kind.NOMINATION: f"/reviews/{self.review_id}/raters",
            Kind.APPROVAL: "/nominations",
            Kind.LOCKED: f"/rounds/{self.cycle_id}/custody/unlock",
            Kind.NOT_OPENED: f"/rounds/{self.cycle_id}",
            Kind.OBJECTION: f"/rounds/{self.cycle_id}",
            Kind.TEAM_REPORTS: "/reports",
            Kind.CHECK_IN: f"/plans/{self.review_id}",
        }
        return paths.get(self.kind, f"/r/{self.token}")
