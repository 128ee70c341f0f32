"""What a mail says, as a value: made where the rows are, rendered and sent where they are not."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum

from survey.core import days, greetings
from survey.core.days import End
from survey.core.relationships import Relationship

NAMED_AT_MOST = 2
"""Rounds that a subject line names; of more it gives the number."""


class Kind(StrEnum):
    """What a mail is about; templates/email has a folder of the same name."""

    SIGN_IN = "sign_in"
    INVITATION = "invitation"
    REMINDER = "reminder"
    REPORT = "report"
    NOMINATION = "nomination"
    APPROVAL = "approval"
    VOUCHING = "vouching"  # somebody of another company awaits the reader's word
    NOT_OPENED = "not_opened"
    STUCK = "stuck"  # a step that a round takes by itself was given up
    LOCKED = "locked"  # a closed round waits for its passphrase
    KEY_MISSING = "key_missing"  # the key of a round is not where it should be
    OBJECTION = "objection"
    NO_REPORT = "no_report"
    CHECK_IN = "check_in"
    CLOCK = "clock"  # the clock may have jumped, and what cannot be undone waits
    TEAM_REPORTS = "team_reports"  # a manager may read the reports of those who report to them
    CHANGED = "changed"  # somebody changed one's manager or address
    ADDRESS_LEFT = "address_left"  # to the address from before, which is asked to confirm the new one
    READER_ASKS = "reader_asks"  # a later manager asks to read a report


ABOUT_THE_ACCOUNT = frozenset({Kind.CHANGED, Kind.ADDRESS_LEFT})
"""Mails that warn of what is done to an account: they go out whatever else is done to it."""


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
        return f"{self.name}, as {self.relationship.with_article}, {time}"


@dataclass(frozen=True)
class CyclePart:
    """A round in a mail about waiting reviews: until when, and about whom.

    `theirs` is the zone of the reader.
    """

    cycle_id: uuid.UUID
    cycle: str
    closes_at: datetime
    k: int
    colleagues: tuple[Colleague, ...]
    greeting: str = ""  # The launcher's own words, with placeholders.
    zone: tzinfo = UTC
    theirs: tzinfo = UTC

    def greeted(self, name: str, company: str) -> str:
        """The launcher's own words to this person, or nothing."""
        day, end = self.last_day, self.end
        values = {
            "{name}": name,
            "{round}": self.cycle,
            "{last day}": end.words if end.is_elsewhere else days.without_year(day),
            "{company}": company,
        }
        return greetings.fill(self.greeting, values)

    @property
    def end(self) -> End:
        """Until when, as the reader counts days."""
        return End(self.closes_at, self.zone, self.theirs)

    @property
    def last_day(self) -> date:
        """The last day on which an answer counts, for the reader."""
        return self.end.last_day


@dataclass(frozen=True)
class Letter:
    """Everything that a mail says. The token is in here and nowhere else; `message_id` is the same at every attempt.

    `stop` is the secret that can do nothing but end the reminders of the rounds in `parts`. `zone` is that of the
    round, `theirs` that of the reader. `before` and `after` are a manager's name or an address, as `changed` says.
    """

    kind: Kind
    address: str
    name: str
    message_id: str
    token: str = field(default="", repr=False)
    stop: str = field(default="", repr=False)
    cycle: str = ""
    closes_at: datetime | None = None
    parts: tuple[CyclePart, ...] = ()
    review_id: uuid.UUID | None = None
    cycle_id: uuid.UUID | None = None
    subjects: tuple[str, ...] = ()
    held_until: datetime | None = None
    zone: tzinfo = UTC
    theirs: tzinfo = UTC
    changed: str = ""
    before: str = ""
    after: str = ""
    actor: str = ""  # who did it, or asks

    @property
    def title(self) -> str:
        """The names of the rounds it is about; of many, their number."""
        if len(self.parts) > NAMED_AT_MOST:
            return f"{len(self.parts)} rounds"
        return " and ".join(part.cycle for part in self.parts) or self.cycle

    def day(self, moment: datetime) -> str:
        """The day of something in the round, or the moment where clocks of the reader differ."""
        return days.day_of(moment, self.zone, self.theirs)

    @property
    def colleagues(self) -> tuple[Colleague, ...]:
        """Everybody about whom it asks, in all rounds."""
        return tuple(colleague for part in self.parts for colleague in part.colleagues)

    @property
    def minutes(self) -> int:
        """Estimated minutes to answer about everybody."""
        return sum(colleague.minutes for colleague in self.colleagues)

    @property
    def secrecy(self) -> str:
        """Who stays anonymous, and how: only what holds for the people this mail asks about."""
        asked_as = {colleague.relationship for colleague in self.colleagues}
        sentences = []
        if any(relationship.is_anonymous for relationship in asked_as):
            sentences.append(
                "Peers, direct reports and others answer anonymously: answers are stored without a name, sealed until "
                f"the round closes, and no figure is shown that rests on fewer than {self._k} people."
            )
        if Relationship.MANAGER in asked_as:
            sentences.append("What you say as the manager is shown as yours.")
        if Relationship.SELF in asked_as:
            sentences.append(
                "What you say about yourself is shown as yours, to you and the managers you report to; your "
                "reflections, to you alone."
            )
        return " ".join(sentences)

    @property
    def _k(self) -> int:
        """The smallest of the minima: what is promised holds for every round."""
        return min(part.k for part in self.parts)

    @property
    def path(self) -> str:
        """Where its link leads, below the installation's address."""
        paths = {
            Kind.SIGN_IN: f"/sign-in/{self.token}",
            Kind.REPORT: f"/reports/{self.review_id}",
            Kind.NO_REPORT: f"/reports/{self.review_id}",
            Kind.NOMINATION: f"/reviews/{self.review_id}/raters",
            Kind.APPROVAL: "/nominations",
            Kind.VOUCHING: f"/reviews/{self.review_id}/outside",
            Kind.LOCKED: f"/rounds/{self.cycle_id}/custody/unlock",
            Kind.NOT_OPENED: f"/rounds/{self.cycle_id}",
            Kind.OBJECTION: f"/rounds/{self.cycle_id}",
            Kind.STUCK: f"/rounds/{self.cycle_id}",
            Kind.CLOCK: "/clock",
            Kind.TEAM_REPORTS: "/reports",
            Kind.CHECK_IN: f"/plans/{self.review_id}",
            Kind.CHANGED: "/account",
            Kind.ADDRESS_LEFT: f"/address/{self.token}" if self.token else "/account",
            Kind.READER_ASKS: "/reports",
        }
        return paths.get(self.kind, f"/r/{self.token}")

    @property
    def stop_path(self) -> str:
        """Where reminders are stopped, below the installation's address."""
        return f"/stop/{self.stop}"
