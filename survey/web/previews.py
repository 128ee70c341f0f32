"""The survey before it is sent: what a rater will see of a review."""

from __future__ import annotations

import uuid
from collections import Counter

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs
from survey.core import statements
from survey.core.access import Action
from survey.core.errors import NotFound
from survey.core.relationships import Relationship
from survey.services import cycles, nominations
from survey.services.responses import Asked
from survey.store.cycles import Cycle, Review
from survey.web.questionnaires import show

pages = Blueprint("previews", __name__, url_prefix="/rounds")


@pages.get("/<uuid:cycle_id>/reviews/<uuid:review_id>/preview")
@needs(Action.RUN_CYCLE)
def preview(cycle_id: uuid.UUID, review_id: uuid.UUID) -> ResponseReturnValue:
    """The survey exactly as a rater will see it, by default a peer; it cannot be sent."""
    asked_as = request.args.get("as", "")
    relationship = Relationship(asked_as) if asked_as in set(Relationship) else Relationship.PEER
    with context.reading() as session:
        review = cycles.review(session, review_id)
        row = context.runnable(session, review.cycle_id)
        if row.id != cycle_id:
            raise NotFound("There is no such review.")
        asked = _as_asked(row, review, relationship, nominations.counted(session, review_id))
    return show(asked, {}, is_preview=True)


def _as_asked(row: Cycle, review: Review, relationship: Relationship, chosen: dict[uuid.UUID, Relationship]) -> Asked:
    questionnaire = cycles.questionnaire(review).for_rater(relationship)
    return Asked(
        review.id,
        review.subject.name,
        relationship,
        row.name,
        row.closes_at,
        row.minimum,
        questionnaire,
        statements.of(
            relationship,
            subject=review.subject.name,
            invited=Counter(chosen.values()),
            k=row.minimum,
            has_open_questions=any(item.is_open for item in questionnaire.items),
        ),
        review.id,
        b"",
        row.zone,
    )
