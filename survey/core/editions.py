"""A report with its comments and what stands on its cover, in the copy that one reader may have."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property

from survey.core import days, releases
from survey.core.access import Standing
from survey.core.disclosure import Comment, Group
from survey.core.reports import Chapter, Question, Report


@dataclass(frozen=True)
class Said:
    """The answers to one open question: the subject's own, the manager's, and everybody else's in no order.

    Colleagues' are `others`; those of outside raters lie apart. `withheld` counts those that people operations took
    out, `withheld_others` those of colleagues among them.
    """

    own: tuple[str, ...] = ()
    manager: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    withheld: int = 0
    withheld_others: int = 0
    outside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Withheld:
    """So many comments of one group on one question were taken out before the release. Their texts are gone."""

    item: str
    group: Group
    comments: int


@dataclass(frozen=True)
class Edition:
    """A report as it is read, printed or saved. `is_own`: the copy is the subject's, and has private answers.

    `readers` are those who may read it by now.
    """

    review_id: uuid.UUID
    subject_id: uuid.UUID
    subject: str
    cycle: str
    closed_at: datetime
    report: Report
    comments: tuple[Comment, ...]
    withheld: tuple[Withheld, ...] = ()
    is_own: bool = False
    readers: frozenset[Standing] = releases.EVERYBODY
    zone: tzinfo = UTC

    @property
    def closed_on(self) -> date:
        """The last day of the round, where the company is."""
        return days.last_day(self.closed_at, self.zone)

    def copy(self, *, is_own: bool) -> Edition:
        """The copy for the subject, or the one for anybody else: without private questions and their answers."""
        if is_own:
            return replace(self, is_own=True)
        chapters = tuple(
            replace(chapter, questions=tuple(question for question in chapter.questions if not question.is_private))
            for chapter in self.report.chapters
        )
        shown = {question.item for chapter in chapters for question in chapter.questions}
        return replace(
            self,
            is_own=False,
            report=replace(self.report, chapters=chapters),
            comments=tuple(comment for comment in self.comments if comment.item in shown),
            withheld=tuple(row for row in self.withheld if row.item in shown),
        )

    def said(self, question: Question) -> Said:
        """The answers to this question in this copy."""
        return self._said.get(question.item, Said())

    @cached_property
    def _said(self) -> Mapping[str, Said]:
        found: dict[str, dict[str, list[str]]] = {}
        for comment in self.comments:
            voices = found.setdefault(comment.item, {"own": [], "manager": [], "others": [], "outside": []})
            voices[_VOICES.get(comment.group, "others")].append(comment.text)
        return {
            item: self._said_to(item, found.get(item, {})) for item in {*found, *(row.item for row in self.withheld)}
        }

    def _said_to(self, item: str, voices: Mapping[str, list[str]]) -> Said:
        own, manager, others, outside = (
            tuple(voices.get(voice, ())) for voice in ("own", "manager", "others", "outside")
        )
        gone = [row for row in self.withheld if row.item == item]
        return Said(
            own,
            manager,
            others,
            withheld=sum(row.comments for row in gone),
            withheld_others=sum(row.comments for row in gone if row.group not in _VOICES),
            outside=outside,
        )


def open_questions(chapter: Chapter) -> tuple[Question, ...]:
    """The questions that others answered."""
    return tuple(question for question in chapter.questions if not question.is_private)


def private_questions(chapter: Chapter) -> tuple[Question, ...]:
    """The questions that the subject alone was asked."""
    return tuple(question for question in chapter.questions if question.is_private)


_VOICES = {Group.SELF: "own", Group.MANAGER: "manager", Group.OUTSIDE: "outside"}
