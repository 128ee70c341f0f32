"""Plans: the few steps that a subject takes from a report, until when, and what they say of it afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from survey.core import days
from survey.core.editions import Edition
from survey.core.errors import BadInput
from survey.core.reports import Chapter
from survey.core.rows import Row

MOST = 5
LONGEST = 300
LONGEST_NOTE = 2_000
FARTHEST = timedelta(days=366)
MORNING = time(8)
DEFAULT = timedelta(days=30)


@dataclass(frozen=True)
class Step:
    """One step: a habit of the page, or one's own.

    `page` is the title of the competency page, `sentence` the rated sentence that the step answers to; empty where it
    is meant for the page as a whole.
    """

    text: str
    page: str
    sentence: str = ""
    is_own: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps of one review, as whoever may read them sees them. `shared_with` is the name of who else may."""

    review_id: uuid.UUID
    subject_id: uuid.UUID
    subject: str
    cycle: str
    closed_at: datetime
    steps: tuple[Step, ...]
    check_in_on: date | None
    note: str
    shared_with_id: uuid.UUID | None = None

    def answering(self, row: Row) -> tuple[Step, ...]:
        """The steps that answer to the sentence of this row."""
        return tuple(step for step in self.steps if step.sentence and step.sentence == row.text)

    def beside(self, chapter: Chapter) -> tuple[Step, ...]:
        """The steps of the same page that answer to none of the sentences of this chapter."""
        sentences = {row.text for row in chapter.rows}
        return tuple(
            step for step in self.steps if step.sentence not in sentences and _base(step.page) == _base(chapter.title)
        )

    def elsewhere(self, chapters: Iterable[Chapter]) -> tuple[Step, ...]:
        """The steps that these chapters have no place for."""
        placed = {step for chapter in chapters for step in (*self.beside(chapter), *self._answering_all(chapter.rows))}
        return tuple(step for step in self.steps if step not in placed)

    def _answering_all(self, rows: Iterable[Row]) -> tuple[Step, ...]:
        return tuple(step for row in rows for step in self.answering(row))


@dataclass(frozen=True)
class Planned:
    """What the reader of a report may see of its subject's plans: the one made from it, and the newest before it."""

    now: Plan | None = None
    earlier: Plan | None = None


NOTHING = Planned()
"""No plan, or none that the reader may see."""


def beside(edition: Edition, seen: Sequence[Plan]) -> Planned:
    """Those of the plans that a reader may see, newest first, that stand beside this report."""
    return Planned(
        next((plan for plan in seen if plan.review_id == edition.review_id), None),
        next((plan for plan in seen if plan.closed_at < edition.closed_at), None),
    )


def check_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with their texts cleaned, each once. Raises `BadInput` for none, too many, or too long ones."""
    cleaned = tuple(
        dict.fromkeys(
            Step(text, step.page, step.sentence, step.is_own) for step in steps if (text := clean(step.text, "A step"))
        )
    )
    if not cleaned:
        raise BadInput("Choose at least one habit, or write a step of your own.")
    if len(cleaned) > MOST:
        raise BadInput(f"These are {len(cleaned)} steps; at most {MOST} fit into a plan. One or two are enough.")
    return cleaned


def clean(text: str, what: str, longest: int = LONGEST) -> str:
    """The text on one line. Raises `BadInput` where it is too long."""
    text = " ".join(text.split())
    if len(text) > longest:
        raise BadInput(f"{what} has {len(text):,} characters; {longest:,} fit.")
    return text


def check_note(text: str) -> str:
    """What was written at the check-in, cleaned. Raises `BadInput` where it is too long."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    text = "\n".join(lines).strip()
    if len(text) > LONGEST_NOTE:
        raise BadInput(f"This note has {len(text):,} characters; {LONGEST_NOTE:,} fit.")
    return text


def check_day(day: date | None, *, today: date, before: date | None = None) -> date | None:
    """The day of the check-in, if it may be chosen today. The one that stood there `before` may stay."""
    if day is None or day == before:
        return day
    if day <= today:
        raise BadInput("The check-in must be on a day in the future; leave it empty for no reminder.")
    if day > today + FARTHEST:
        raise BadInput("The check-in must be within a year.")
    return day


def reminder_at(day: date, zone: tzinfo) -> datetime:
    """When the reminder of a check-in goes out, in UTC: that morning where its reader lives."""
    return days.at_hour(day, MORNING, zone)


def _base(title: str) -> str:
    """The competency in the title of a page: the next round may ask about the next level."""
    return title.rpartition(", level ")[0] or title
