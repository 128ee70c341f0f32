"""The form that a questionnaire makes: what raters answer, and what launchers preview."""

from __future__ import annotations

from collections.abc import Mapping

from flask import render_template
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import HiddenField, RadioField, TextAreaField

from survey.core import responses as rules
from survey.core import statements
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers
from survey.services.responses import Asked

NOT_OBSERVED = "none"


class AnswerForm(FlaskForm):
    """What every answer form has, and all that a blank one needs; `form_for` adds a field per item."""

    fingerprint = HiddenField()


def form_for(questionnaire: Questionnaire) -> type[AnswerForm]:
    """The form class with one field per item of this questionnaire, named by the item's key."""
    key = questionnaire.fingerprint
    if key not in _forms:
        if len(_forms) >= _FORMS_AT_MOST:
            _forms.clear()
        _forms[key] = _build_form(questionnaire)
    return _forms[key]


_FORMS_AT_MOST = 500
_forms: dict[str, type[AnswerForm]] = {}
_blanks: dict[tuple[str, str, Relationship], Markup] = {}


def show(
    asked: Asked,
    form: AnswerForm,
    *,
    problem: str | None = None,
    gaps: tuple[str, ...] = (),
    is_saved: bool = False,
    code: str = "",
    is_preview: bool = False,
) -> str:
    """The page with the form: as it is, with what is wrong with it, saved, or to be looked at only.

    `code` opens what was saved on another device, and is shown once it was asked for.
    """
    form.fingerprint.data = asked.questionnaire.fingerprint
    filled = {item.key: form[item.key].data for item in asked.questionnaire.items if item.key in form}
    is_blank = not gaps and not any(filled.values())
    return render_template(
        "responses/form.html",
        asked=asked,
        promise=statements.promise(asked.k),
        form=form,
        questions=_blank(asked) if is_blank else _questions(asked, filled, gaps),
        rated=_rated(asked.questionnaire),
        gaps=gaps,
        problem=problem,
        saved=is_saved,
        code=code,
        is_preview=is_preview,
    )


def _blank(asked: Asked) -> Markup:
    """The questions with nothing filled in: written once for all raters who are asked the same about somebody."""
    key = (asked.questionnaire.fingerprint, asked.subject, asked.relationship)
    if key not in _blanks:
        if len(_blanks) >= _FORMS_AT_MOST:
            _blanks.clear()
        _blanks[key] = _questions(asked, {}, ())
    return _blanks[key]


def _questions(asked: Asked, filled: Mapping[str, str | None], gaps: tuple[str, ...]) -> Markup:
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


def answers_in(questionnaire: Questionnaire, form: AnswerForm) -> Answers:
    """What was filled in. A value that is on no scale counts as not filled in."""
    ratings: dict[str, int | None] = {}
    comments: dict[str, str] = {}
    for item in questionnaire.items:
        value = form[item.key].data
        if item.is_open:
            if text := rules.clean(value or ""):
                comments[item.key] = text
        elif value == NOT_OBSERVED:
            ratings[item.key] = None
        elif value in {str(point) for point in range(1, (item.scale.points if item.scale else 0) + 1)}:
            ratings[item.key] = int(value)
    return Answers(ratings, comments)


def as_fields(draft: Answers) -> dict[str, str]:
    """The values that a form shows for these answers."""
    ratings = {key: NOT_OBSERVED if rating is None else str(rating) for key, rating in draft.ratings.items()}
    return ratings | dict(draft.comments)


def _build_form(questionnaire: Questionnaire) -> type[AnswerForm]:
    fields: dict[str, object] = {}
    for item in questionnaire.items:
        if item.scale is None:
            fields[item.key] = TextAreaField(item.text)
            continue
        points = {str(point): label for point, label in enumerate(item.scale.labels, 1)}
        fields[item.key] = RadioField(item.text, choices=points | {NOT_OBSERVED: item.scale.opt_out})
    return type("AnswerForm", (AnswerForm,), fields)
