"""Reports: listed and read."""

from __future__ import annotations

import uuid

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from survey import context
from survey.context import needs
from survey.core.access import Action, Standing
from survey.core.disclosure import Group
from survey.core.errors import NotAllowed, NotFound
from survey.delivery import charts
from survey.services import people, reports

pages = Blueprint("reports", __name__, url_prefix="/reports")


@pages.get("")
@needs(Action.SEE_HOME)
def index() -> ResponseReturnValue:
    """One's own reports, and those of the people who report to one."""
    person = context.permit(Action.SEE_HOME)
    with context.reading() as session:
        own = reports.readable(session, [person.id])
        team = reports.readable(session, [one.id for one in people.below(session, person.id)])
    return render_template("reports/index.html", own=own, team=team)


@pages.get("/<uuid:review_id>")
@needs(Action.READ_REPORT)
def read(review_id: uuid.UUID) -> ResponseReturnValue:
    """One report, for its subject and for whoever they report to. To others it does not exist."""
    person = context.signed_in()
    with context.reading() as session:
        edition = reports.read(session, review_id)
        standing = reports.standing(session, edition, person.id)
    try:
        context.permit(Action.READ_REPORT, *standing)
    except NotAllowed:
        raise NotFound("There is no such report, or it has not been released yet.") from None
    is_own = Standing.OWN in standing
    if not is_own:
        with context.transaction() as session:
            reports.note_reading(session, review_id, reader_id=person.id, now=context.now())
    private = {
        question.item for chapter in edition.report.chapters for question in chapter.questions if question.is_private
    }
    answers: dict[str, dict[str, list[str]]] = {}
    for comment in edition.comments:
        if is_own or comment.item not in private:
            by_group = answers.setdefault(comment.item, {"own": [], "manager": [], "others": []})
            by_group[_COLUMNS.get(comment.group, "others")].append(comment.text)
    return render_template(
        "reports/report.html",
        edition=edition,
        report=edition.report,
        is_own=is_own,
        drawing=charts.axis,
        answers=lambda item: answers.get(item, {"own": [], "manager": [], "others": []}),
        withheld={row.item: row for row in edition.withheld},
    )


_COLUMNS = {Group.SELF: "own", Group.MANAGER: "manager"}
