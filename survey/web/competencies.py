"""Competency pages: read, imported, previewed."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import StringField, TextAreaField
from wtforms.validators import Length

from survey import context
from survey.context import needs
from survey.core import access
from survey.core.access import Action, Role
from survey.core.competencies import Section
from survey.core.errors import BadInput, BadPage, ProblemLike
from survey.services import competencies

pages = Blueprint("competencies", __name__, url_prefix="/pages")

BECOMES = {
    Section.KEY_BEHAVIORS: "Rated by everybody; a row each in the report",
    Section.COMMON_STRUGGLES: "Optional: which of these have been seen lately",
    Section.SUCCESS_INDICATORS: "Rated by everybody; a row each in the report",
    Section.MINDSET_SHIFT: "One point on the line between the two sentences",
    Section.QUESTIONS_TO_ASK_YOURSELF: "Only in the self-assessment; shown to the engineer alone",
    Section.BUILD_THESE_HABITS: "Next steps, beside the report",
    Section.SEEK_FEEDBACK: "The open questions to everybody else",
    Section.SIGNALS_READY_TO_LEVEL_UP: "Readiness for the next level: self and manager",
    Section.FOCUS_SUMMARY: "The closing card of the report",
}


class ImportForm(FlaskForm):
    """A page as a file or as text."""

    file = FileField("A text or Markdown file")
    text = TextAreaField("… or paste the page here", render_kw={"rows": 12})
    competency = StringField("Competency, if the page does not name it", [Length(max=200)])


@pages.get("")
@needs(Action.SEE_PAGES)
def index() -> ResponseReturnValue:
    """All pages, newest versions only."""
    person = context.permit(Action.SEE_PAGES)
    with context.reading() as session:
        rows = competencies.newest(session)
    return render_template(
        "competencies/index.html", rows=rows, may_import=access.is_allowed(Action.IMPORT_PAGES, Role(person.role))
    )


@pages.get("/<uuid:page_id>")
@needs(Action.SEE_PAGES)
def page(page_id: uuid.UUID) -> ResponseReturnValue:
    """One page, and what each of its parts becomes."""
    context.permit(Action.SEE_PAGES)
    with context.reading() as session:
        row, body = competencies.get(session, page_id)
    return render_template("competencies/page.html", row=row, page=body, sections=list(Section), becomes=BECOMES)


@pages.route("/import", methods=["GET", "POST"])
@needs(Action.IMPORT_PAGES)
def import_page() -> ResponseReturnValue:
    """A new page, or the lines that speak against it."""
    context.permit(Action.IMPORT_PAGES)
    form = ImportForm()
    problems: tuple[ProblemLike, ...] = ()
    problem = ""
    if form.validate_on_submit():
        source = form.file.data.read() if form.file.data else (form.text.data or "").encode("utf-8", "replace")
        try:
            with context.transaction() as session:
                row = competencies.import_page(session, source, competency=form.competency.data)
        except BadPage as error:
            problems = error.problems
        except BadInput as error:
            problem = str(error)
        else:
            flash(f"{row.title} is ready to be used.", "done")
            return redirect(url_for("competencies.page", page_id=row.id), 303)
    return (
        render_template("competencies/import.html", form=form, problems=problems, problem=problem),
        400 if form.is_submitted() else 200,
    )
