"""The form that a questionnaire makes: what raters answer, and what launchers preview.

Its fields are those of the questionnaire, one for each item under the item's key, so they are written by its template
and read here: a form class for each questionnaire took a sixth of the time of an answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from flask import render_template, request
from markupsafe import Markup

from survey import context
from survey.core import responses as rules
from survey.core import statements
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services.responses import Asked
from survey.web import visits

NOT_OBSERVED = "none"

_BLANKS_AT_MOST = 500
_blanks: dict[tuple[str, str, Relationship], Markup] = {}


def show(
    asked: Asked,
    filled: Mapping[str, str],
    *,
    problem: str | None = None,
    gaps: tuple[str, ...] = (),
    is_saved: bool = False,
    code: str = "",
    is_preview: bool = False,
) -> str:
    """The page with the form: with what is filled in by key, what is wrong with it, saved, or to be looked at only.

    `code` opens what was saved on another device, and is shown once it was asked for.
    """
    is_blank = not gaps and not any(filled.values())
    return render_template(
        "responses/form.html",
        asked=asked,
        until=asked.end(context.installation().pace.home).words,
        promise=statements.promise(asked.k),
        questions=_blank(asked) if is_blank else _questions(asked, filled, gaps),
        rated=_rated(asked.questionnaire),
        gaps=gaps,
        problem=problem,
        saved=is_saved,
        code=code,
        is_preview=is_preview,
        is_kept=visits.is_kept(),
        sheet=secrets.token_urlsafe(9),
    )


def _blank(asked: Asked) -> Markup:
    """The questions with nothing filled in: written once for all raters who are asked the same about somebody."""
    key = (asked.questionnaire.fingerprint, asked.subject, asked.relationship)
    if key not in _blanks:
        if len(_blanks) >= _BLANKS_AT_MOST:
            _blanks.clear()
        _blanks[key] = _questions(asked, {}, ())
    return _blanks[key]


def _questions(asked: Asked, filled: Mapping[str, str], gaps: tuple[str, ...]) -> Markup:
    return Markup(  # noqa: S704 - what Jinja has escaped
        render_template(
            "responses/_questions.html",
            questionnaire=asked.questionnaire,
            subject=asked.subject,
            is_self=asked.relationship is Relationship.SELF,
            is_anonymous=asked.statement.is_anonymous,
            rated=_rated(asked.questionnaire),
            filled=filled,
            gaps=gaps,
            limit=rules.COMMENT_LIMIT,
            not_observed=NOT_OBSERVED,
        )
    )


def _rated(questionnaire: Questionnaire) -> int:
    return sum(not item.is_open for item in questionnaire.items)


def filled_in(questionnaire: Questionnaire) -> dict[str, str]:
    """What the browser sent for each item, as it is: the first value where there are several."""
    return {item.key: request.form.get(item.key, "") for item in questionnaire.items}


def answers_in(questionnaire: Questionnaire, filled: Mapping[str, str]) -> Answers:
    """What was filled in. A value that is on no scale counts as not filled in."""
    ratings: dict[str, int | None] = {}
    comments: dict[str, str] = {}
    for item in questionnaire.items:
        value = filled[item.key]
        if item.scale is None:
            if text := rules.clean(value):
                comments[item.key] = text
        elif value == NOT_OBSERVED:
            ratings[item.key] = None
        elif value in {str(point) for point in range(1, item.scale.points + 1)}:
            ratings[item.key] = int(value)
    return Answers(ratings, comments)


def as_fields(draft: Answers) -> dict[str, str]:
    """The values that a form shows for these answers."""
    ratings = {key: NOT_OBSERVED if rating is None else str(rating) for key, rating in draft.ratings.items()}
    return ratings | dict(draft.comments)
