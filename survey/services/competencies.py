"""Competency pages: imported, listed, and never changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from survey.core import competencies, names
from survey.core.competencies import Page
from survey.core.errors import BadInput, NotFound
from survey.store.competencies import Competency, CompetencyPage


def import_page(session: Session, source: bytes, *, competency: str | None = None) -> CompetencyPage:
    """The page in this text as a new version of its competency and level; the same text again is the same version.

    `competency` names it when the text does not. Raises `BadPage` when the text is not a page, and `BadInput` when
    its competency or level is nowhere said.
    """
    page = competencies.parse(source, competency=(competency or "").strip() or None)
    if page.competency is None:
        raise BadInput("The page does not say which competency it is about. Please name it.")
    if page.level is None:
        raise BadInput("The page does not say which level it is about, as in “At Level 3, …”.")
    owner = _called(session, page.competency)
    if owner is None:
        owner = Competency(name=page.competency)
        session.add(owner)
        session.flush()
    newest = session.scalar(
        select(CompetencyPage)
        .where(CompetencyPage.competency_id == owner.id, CompetencyPage.level == page.level)
        .order_by(CompetencyPage.version.desc())
        .limit(1)
    )
    body = competencies.as_json(page)
    if newest is not None and newest.body == body:
        return newest
    row = CompetencyPage(
        competency=owner,
        level=page.level,
        version=newest.version + 1 if newest else 1,
        source=source.decode("utf-8", "replace"),
        body=body,
    )
    session.add(row)
    session.flush()
    return row


def newest(session: Session) -> Sequence[CompetencyPage]:
    """The newest version of every page, by competency and level."""
    latest = (
        select(CompetencyPage.competency_id, CompetencyPage.level, func.max(CompetencyPage.version).label("version"))
        .group_by(CompetencyPage.competency_id, CompetencyPage.level)
        .subquery()
    )
    return session.scalars(
        select(CompetencyPage)
        .join(
            latest,
            (latest.c.competency_id == CompetencyPage.competency_id)
            & (latest.c.level == CompetencyPage.level)
            & (latest.c.version == CompetencyPage.version),
        )
        .join(Competency)
        .order_by(Competency.folded, Competency.id, CompetencyPage.level)
    ).all()


def _called(session: Session, name: str) -> Competency | None:
    """The competency of this name, or the one that differs in nothing but how it was typed."""
    alike = or_(Competency.name == name, Competency.folded == names.folded(name))
    return session.scalar(select(Competency).where(alike).order_by(Competency.name != name).limit(1))


def get(session: Session, page_id: uuid.UUID) -> tuple[CompetencyPage, Page]:
    """The row of a page and what was read from it. Raises `NotFound`."""
    row = session.get(CompetencyPage, page_id)
    if row is None:
        raise NotFound("There is no such page.")
    return row, competencies.from_json(row.body)
