"""Cycles and their reviews: what is asked about whom, and until when. Knows no rater."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    and_,
    cast,
    false,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from survey.core import competencies, days, questionnaires, releases, values
from survey.core.access import Standing
from survey.core.competencies import Section
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.errors import BadInput, NotFound
from survey.core.nominations import Choice
from survey.core.questionnaires import Questionnaire, Scale
from survey.store.base import Base, Named, UtcDateTime, random_key
from survey.store.competencies import Competency, CompetencyPage
from survey.store.people import Person


class Cycle(Named, Base):
    """A round of reviews. `public_key` seals its envelopes; the private one lies outside the database.

    `begun_at` is when its draft was made; None where that was before this was written down.
    `opens_at` is the plan until it opens, and then when it did. `labels` are the words of the frequency scale, where
    they were changed, the opt-out last; `reminders` the slots that were left on, None for all. `manager_days` is by how
    many days managers read before the subjects; after the release `held_until` is set as long as subjects may not read.
    `spreads` is the typical spread of its published cells by points of the scale (survey.core.spreads), None until
    everything is counted. `attempts` is how often a worker began the step that it is at, and did not end it.
    `time_zone` names the zone whose days its days are: that of the company when they were last said. What was promised
    stays, whatever the settings become. `opener_id` and `was_nominating` hold while it is opening: who wanted that
    (None: its day had come), and where it goes back to if it cannot be opened.
    `key_missed_at` is since when its key is not where it should be. `is_key_found`: it was there when it was to be
    destroyed. `is_key_lost`: it never came back, and people operations gave it up; what is called destroyed then is
    what it could have opened.
    """

    __tablename__ = "cycle"
    __table_args__ = (
        CheckConstraint("minimum BETWEEN 3 AND 10", name="minimum_protects"),
        CheckConstraint(
            "phase IN ('draft', 'nominating', 'opening', 'open', 'closed', 'tallied', 'released', 'archived')",
            name="phase_is_known",
        ),
        CheckConstraint(
            "phase IN ('draft', 'nominating', 'opening') OR public_key IS NOT NULL", name="open_means_sealed"
        ),
        CheckConstraint("phase NOT IN ('released', 'archived') OR is_key_destroyed", name="released_means_unlinkable"),
        Index("ix_cycle_phase_closes_at", "phase", "closes_at"),
    )

    id: Mapped[uuid.UUID] = random_key()
    launcher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    phase: Mapped[str] = mapped_column(default=Phase.DRAFT)
    minimum: Mapped[int]
    blocks: Mapped[list[str]]
    opens_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    public_key: Mapped[bytes | None]
    is_key_destroyed: Mapped[bool] = mapped_column(default=False)
    labels: Mapped[list[str] | None]
    greeting: Mapped[str] = mapped_column(default="", server_default="")
    reminders: Mapped[list[str] | None]
    is_scheduled: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_cancelled: Mapped[bool] = mapped_column(default=False, server_default=false())
    manager_days: Mapped[int] = mapped_column(default=0, server_default="0")
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    spreads: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    time_zone: Mapped[str] = mapped_column(default="UTC", server_default="UTC")
    opener_id: Mapped[uuid.UUID | None]
    was_nominating: Mapped[bool] = mapped_column(default=False, server_default=false())
    begun_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    key_missed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_key_found: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_key_lost: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def is_given_up(self) -> bool:
        """Whether the step that it is at was begun so often that no worker begins it any more."""
        return self.attempts > ATTEMPTS

    @property
    def zone(self) -> ZoneInfo:
        """Where its days begin and end."""
        return ZoneInfo(self.time_zone)

    @property
    def last_day(self) -> date:
        """The last day on which an answer counts, or the day on which it was closed."""
        return days.last_day(self.closes_at, self.zone)

    def promise(self, day: date, zone: tzinfo) -> None:
        """Makes this its last day, in this zone. For those who are told of it from now on. Raises `BadInput`."""
        self.closes_at, self.time_zone = days.end_of(day, zone), days.zone_name(zone)

    launcher: Mapped[Person] = relationship()
    reviews: Mapped[list[Review]] = relationship(back_populates="cycle", cascade="all, delete-orphan")


class Review(Base):
    """One person under review in a cycle. The questionnaire and the numbers invited are frozen at launch.

    A review that has a questionnaire has its invitations: both are written in one transaction.

    `choice` says how far the choice of raters is (survey.core.nominations.Choice).
    `is_objected` says that the auditor objected to its report, so that it waits for people operations. A review that
    is tallied and has no report is one about which nothing was published.
    `answered` is how many did, of all relationships together: None until its invitations are deleted.
    `attempts` is how often a worker began to count it, and then to build its report.
    `managers` are those above the subject, by id from the top down, frozen at launch: the fixed tree of team views.
    `minutes` has how long the questionnaire takes by relationship, so that a mail need not read it.
    `published` is what the tally lets be said beside cells and comments, from then until the report is built.
    `shaken` is how many envelopes it had when they were last rewritten together (survey.store.shakes).
    `is_given`: its subject reads the report although the cycle holds reports back, since no manager could read it.
    """

    __tablename__ = "review"
    __table_args__ = (UniqueConstraint("cycle_id", "subject_id"),)

    id: Mapped[uuid.UUID] = random_key()
    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"), index=True)
    questionnaire: Mapped[dict[str, Any] | None]
    invited: Mapped[dict[str, Any] | None]
    minutes: Mapped[dict[str, Any] | None]
    is_tallied: Mapped[bool] = mapped_column(default=False)
    choice: Mapped[str] = mapped_column(default=Choice.OPEN, server_default="open")
    is_objected: Mapped[bool] = mapped_column(default=False, server_default=false())
    managers: Mapped[list[str] | None]
    published: Mapped[dict[str, Any] | None]
    answered: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    shaken: Mapped[int] = mapped_column(default=0, server_default="0")
    is_given: Mapped[bool] = mapped_column(default=False, server_default=false())

    cycle: Mapped[Cycle] = relationship(back_populates="reviews")
    subject: Mapped[Person] = relationship()
    pages: Mapped[list[ReviewPage]] = relationship(
        cascade="all, delete-orphan", order_by="ReviewPage.position", lazy="selectin"
    )


# What is left to do of a round is found without a look at what is done: the tally asks after every batch.
Index(
    "ix_review_uncounted",
    Review.cycle_id,
    sqlite_where=Review.is_tallied.is_(False),
    postgresql_where=Review.is_tallied.is_(False),
)
Index(
    "ix_review_unbuilt",
    Review.cycle_id,
    sqlite_where=Review.published.is_not(None),
    postgresql_where=Review.published.is_not(None),
)


class ReviewPage(Base):
    """A page that a review asks about, in this position."""

    __tablename__ = "review_page"

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    page_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("competency_page.id"))

    page: Mapped[CompetencyPage] = relationship(lazy="joined")


QUESTIONNAIRE = cast(Review.questionnaire, Text).label("questionnaire")
"""A frozen questionnaire as its text, which `survey.core.questionnaires.parsed` reads once for all that are alike."""

IS_UNFINISHED = or_(Review.is_tallied.is_(False), Review.published.is_not(None))
"""Of a review in a closed cycle: it is not counted, or its report is not built."""


def get(session: Session, cycle_id: uuid.UUID) -> Cycle:
    """The cycle. Raises `NotFound`."""
    return _found(session.get(Cycle, cycle_id))


def locked(session: Session, cycle_id: uuid.UUID) -> Cycle:
    """The cycle as it is now, which nobody else changes until this transaction ends. Raises `NotFound`."""
    # A page may have read the row before; what it saw then is not what counts now.
    fresh = (
        select(Cycle).where(Cycle.id == cycle_id).with_for_update(of=Cycle).execution_options(populate_existing=True)
    )
    return _found(session.scalar(fresh))


def _found(cycle: Cycle | None) -> Cycle:
    if cycle is None:
        raise NotFound("There is no such round.")
    return cycle


def questionnaire(row: Review) -> Questionnaire:
    """What is asked in a review: frozen at launch, and before that as the pages and blocks have it now."""
    if row.questionnaire is not None:
        return values.load(Questionnaire, row.questionnaire)
    return questionnaires.build(
        [
            (
                str(entry.page.id),
                entry.page.version,
                entry.page.competency.name,
                competencies.from_json(entry.page.body),
            )
            for entry in row.pages
        ],
        blocks=[Section(block) for block in row.cycle.blocks],
        frequency=frequency(row.cycle),
    )


def frequency(cycle: Cycle) -> Scale:
    """The words of this cycle's frequency scale."""
    return Scale(tuple(cycle.labels[:-1]), cycle.labels[-1]) if cycle.labels else questionnaires.FREQUENCY


def readable_by(standing: Standing) -> ColumnElement[bool]:
    """The condition that whoever stands so to the report of a review may read it (`survey.core.releases`)."""
    is_released = Cycle.phase.in_(releases.READABLE)
    if standing in releases.MANAGERS:
        return is_released
    return and_(is_released, or_(Cycle.held_until.is_(None), Review.is_given))


def titles(session: Session, cycle_id: uuid.UUID) -> dict[uuid.UUID, tuple[str, ...]]:
    """The titles of the pages of every review of a cycle, in order; in one query."""
    found: dict[uuid.UUID, list[str]] = {}
    for review_id, competency, level in session.execute(
        select(ReviewPage.review_id, Competency.name, CompetencyPage.level)
        .join(Review, Review.id == ReviewPage.review_id)
        .join(CompetencyPage, CompetencyPage.id == ReviewPage.page_id)
        .join(Competency, Competency.id == CompetencyPage.competency_id)
        .where(Review.cycle_id == cycle_id)
        .order_by(ReviewPage.review_id, ReviewPage.position)
    ):
        found.setdefault(review_id, []).append(f"{competency}, level {level}")
    return {review_id: tuple(names) for review_id, names in found.items()}


def put_under_review(session: Session, cycle: Cycle, subject_id: uuid.UUID, page_ids: Sequence[uuid.UUID]) -> Review:
    """A new review of the cycle about these pages, in their order. Raises `BadInput` without one that is known."""
    known = set(session.scalars(select(CompetencyPage.id).where(CompetencyPage.id.in_(page_ids))))
    if not page_ids or known != set(page_ids):
        raise BadInput("Choose at least one page that this person will be reviewed on.")
    pages = [ReviewPage(position=position, page_id=page_id) for position, page_id in enumerate(page_ids, 1)]
    review = Review(id=uuid.uuid4(), cycle_id=cycle.id, subject_id=subject_id, pages=pages)
    session.add(review)
    session.flush()
    return review


@dataclass(frozen=True)
class Pages:
    """The pages that some reviews ask about: which ones, by review and in order, and what each of them says."""

    ids: Mapping[uuid.UUID, Sequence[uuid.UUID]]
    bodies: Mapping[uuid.UUID, dict[str, Any]]


def pages(session: Session, review_ids: Collection[uuid.UUID]) -> Pages:
    """The pages of these reviews, each read once, however many of them ask about it."""
    ids: dict[uuid.UUID, list[uuid.UUID]] = {review_id: [] for review_id in review_ids}
    for review_id, page_id in session.execute(
        select(ReviewPage.review_id, ReviewPage.page_id)
        .where(ReviewPage.review_id.in_(review_ids))
        .order_by(ReviewPage.position)
    ):
        ids[review_id].append(page_id)
    asked = {page_id for own in ids.values() for page_id in own}
    rows = session.execute(select(CompetencyPage.id, CompetencyPage.body).where(CompetencyPage.id.in_(asked)))
    return Pages(ids, dict(rows.all()))
