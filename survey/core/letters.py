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


@dataclass(frozen=True)
class Colleague:
    """Somebody about whom a mail asks."""

    name: str
    relationship: Relationship
    minutes: int


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

    @property
    def path(self) -> str:
        """Where its link leads, below the installation's address."""
        if self.kind is Kind.SIGN_IN:
            return f"/sign-in/{self.token}"
        if self.kind is Kind.REPORT:
            return f"/reports/{self.review_id}"
        return f"/r/{self.token}"
