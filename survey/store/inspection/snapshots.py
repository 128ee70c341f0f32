"""What one copy of the database, taken at this moment, would tell somebody who has the key of a round as well."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select, text

from survey.core.relationships import Relationship
from survey.core.shakes import EXPECTED
from survey.store import schema
from survey.store.inspection.looks import Look, count

ATTRIBUTED = (Relationship.SELF, Relationship.MANAGER)
"""Their answers are shown as theirs, and they are told so."""


def look(connection: Connection) -> Iterator[Look]:
    """How many answers could be linked: those since the last shake, and those that are the only one of their group.

    The box was shaken in time where few came since. A group of one has nothing to be shaken with.
    """
    answers = _number(connection, "SELECT count(*) FROM envelope")
    fresh = _unshaken(connection)
    if connection.dialect.name == "postgresql":
        fresh = max(fresh, _number(connection, _IN_ONE_TRANSACTION))
    alone = _alone(connection)
    linked = min(answers, fresh + alone)
    said = f"{linked:,} of {count(answers, 'answer')} could be linked: {fresh:,} came since the last shake"
    said += f", {alone:,} alone in their group" if alone else ""
    is_late = fresh > EXPECTED
    yield Look(
        "A21",
        "answers that one copy would link for somebody with the key",
        count(answers, "sealed answer"),
        (said,) if is_late else (),
        said="" if is_late or not answers else said,
    )


def _unshaken(connection: Connection) -> int:
    envelope, review = schema.metadata.tables["envelope"], schema.metadata.tables["review"]
    answers = select(envelope.c.review_id, func.count().label("number")).group_by(envelope.c.review_id).subquery()
    since = answers.c.number - review.c.shaken
    together = select(func.sum(since)).select_from(answers).join(review, review.c.id == answers.c.review_id)
    return connection.scalar(together.where(since > 0)) or 0


def _alone(connection: Connection) -> int:
    """People who are done and whom nobody else of their relationship joins, in reviews that are not counted."""
    invitation, review = schema.metadata.tables["invitation"], schema.metadata.tables["review"]
    groups = (
        select(invitation.c.review_id)
        .join(review, review.c.id == invitation.c.review_id)
        .where(
            invitation.c.state == "done",
            invitation.c.relationship.not_in(ATTRIBUTED),
            review.c.is_tallied.is_(False),
        )
        .group_by(invitation.c.review_id, invitation.c.relationship)
        .having(func.count() == 1)
        .subquery()
    )
    return connection.scalar(select(func.count()).select_from(groups)) or 0


def _number(connection: Connection, statement: str) -> int:
    return int(connection.scalar(text(statement)) or 0)


_IN_ONE_TRANSACTION = """
    WITH marks AS (
        SELECT review_id, xmin::text AS written FROM invitation WHERE state = 'done'
        GROUP BY 1, 2 HAVING count(*) = 1
    ), boxes AS (
        SELECT review_id, xmin::text AS written FROM envelope GROUP BY 1, 2 HAVING count(*) = 1
    ), several AS (SELECT review_id FROM envelope GROUP BY 1 HAVING count(*) > 1)
    SELECT count(*) FROM marks JOIN boxes USING (review_id, written) JOIN several USING (review_id)
"""
"""Marks of raters that share a transaction with one envelope and no other, beside further answers of the review."""
