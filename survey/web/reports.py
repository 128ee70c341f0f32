"""Reports: listed, read, and saved as a file."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from survey import context
from survey.context import needs
from survey.core import conversations, editions, readiness, sentences
from survey.core import plans as planning
from survey.core.access import Action, Standing
from survey.core.editions import Edition
from survey.core.errors import BadInput, NotAllowed, NotFound
from survey.core.plans import Planned
from survey.core.readers import Word
from survey.core.sections import Section
from survey.delivery import archives, charts, ladders, pdf, sheets, shifts
from survey.services import addresses, plans, readers, reports
from survey.services.readers import Reader
from survey.services.reports import NothingPublished

pages = Blueprint("reports", __name__, url_prefix="/reports")

ANYWAY = "anyway"
"""Asks for the document in spite of what it cannot show."""


@pages.get("")
@needs(Action.SEE_HOME)
def index() -> ResponseReturnValue:
    """One's own reports, and those of the people who report to one."""
    person = context.permit(Action.SEE_HOME)
    with context.reading() as session:
        own = reports.own(session, person.id)
        team = reports.lent(session, person.id)
        shared = plans.shared_with(session, person.id)
        asking = [one for one in readers.of(session, person.id) if one.word is Word.ASKED]
        closed = readers.closed(session, person.id)
        waiting = addresses.waiting(session, person.id)
    return render_template(
        "reports/index.html",
        own=own,
        team=team,
        shared=shared,
        asking=asking,
        closed=closed,
        waiting=waiting,
        zone=context.zone(),
    )


@pages.get("/export")
@needs(Action.SEE_HOME)
def export() -> ResponseReturnValue:
    """Everything that one has received, as one file: with one's private reflections, and of nobody else."""
    person = context.permit(Action.SEE_HOME)
    with context.reading() as session:
        about = reports.about(session, person.id)
        readable = [one for one in about if Standing.OWN in reports.standing(session, one, person.id)]
        own = [edition.copy(is_own=True) for edition in readable]
        seen = plans.seen(session, person.id, person.id)
    content = archives.archive(own, subject=person.name, is_own=True, seen=seen)
    return _attached(content, "reports.zip", "application/zip")


@pages.get("/<uuid:review_id>")
@needs(Action.READ_REPORT)
def read(review_id: uuid.UUID) -> ResponseReturnValue:
    """One report, for its subject and for whoever they report to. To others it does not exist."""
    try:
        edition = _copy_of(review_id)
    except NotFound:
        return _nothing(review_id)
    _note_reading(edition)
    return shown(edition, _planned(edition), _readers(edition))


@pages.post("/<uuid:review_id>/ask")
@needs(Action.ASK_FOR_REPORT)
def ask(review_id: uuid.UUID) -> ResponseReturnValue:
    """A later manager asks the subject to let them read."""
    person = context.signed_in()
    with context.transaction() as session:
        _permit(Action.ASK_FOR_REPORT, readers.standing(session, review_id, person.id))
        is_asked = readers.ask(session, review_id, actor_id=person.id, now=context.now())
    if is_asked:
        context.wake("tasks.outbox.sweep")
    flash("You asked. They get a mail, and decide." if is_asked else "There is nothing more to ask here.", "done")
    return redirect(url_for("reports.index"), 303)


@pages.post("/<uuid:review_id>/readers")
@needs(Action.CHOOSE_READERS)
def choose_reader(review_id: uuid.UUID) -> ResponseReturnValue:
    """The subject says who may read their report, and who may not any more."""
    person = context.signed_in()
    is_yes = request.form.get("word") == "yes"
    with context.transaction() as session:
        _permit(Action.CHOOSE_READERS, readers.standing(session, review_id, person.id))
        reader_id = _id(request.form.get("reader", ""))
        reader = readers.say(session, review_id, reader_id, is_yes=is_yes, actor_id=person.id, now=context.now())
    can = "can read" if is_yes else "cannot read"
    flash(f"{reader.name} {can} your report of “{reader.cycle}”.", "done")
    return redirect(url_for("reports.index"), 303)


def _id(typed: str) -> uuid.UUID:
    try:
        return uuid.UUID(typed)
    except ValueError:
        raise BadInput("Please choose a person.") from None


def _permit(action: Action, standing: frozenset[Standing]) -> None:
    """To whoever may not do this, the report does not exist."""
    try:
        context.permit(action, *standing)
    except NotAllowed:
        raise NotFound(MISSING) from None


@pages.get("/<uuid:review_id>/conversation")
@needs(Action.PREPARE_CONVERSATION)
def conversation(review_id: uuid.UUID) -> ResponseReturnValue:
    """One page with which a manager prepares the conversation. For the subject and for others there is none."""
    edition = _copy_of(review_id)
    if edition.is_own:
        raise NotFound(MISSING)
    context.permit(Action.PREPARE_CONVERSATION, Standing.MANAGES)
    return render_template(
        "reports/conversation.html",
        edition=edition,
        report=edition.report,
        name=edition.subject,
        say=sentences,
        prompts=conversations.prompts(edition.report),
        cautions=conversations.cautions(edition.report, edition.subject),
        plan=_planned(edition).now,
    )


@pages.get("/<uuid:review_id>.pdf")
@needs(Action.READ_REPORT)
def as_pdf(review_id: uuid.UUID) -> ResponseReturnValue:
    """The report as a document; first a page that says what it cannot show, where there is something."""
    edition = _copy_of(review_id)
    document = pdf.made(edition, _planned(edition))
    if document.unshown and ANYWAY not in request.args:
        _note_reading(edition)
        return render_template("reports/unshown.html", edition=edition, unshown=document.unshown, anyway=ANYWAY)
    return _saved(edition, "pdf", "application/pdf", document.content)


@pages.get("/<uuid:review_id>.csv")
@needs(Action.READ_REPORT)
def as_table(review_id: uuid.UUID) -> ResponseReturnValue:
    """The report as a table in plain text."""
    edition = _copy_of(review_id)
    return _saved(edition, "csv", "text/csv; charset=utf-8", sheets.csv(edition, _planned(edition)))


@pages.get("/<uuid:review_id>.xlsx")
@needs(Action.READ_REPORT)
def as_spreadsheet(review_id: uuid.UUID) -> ResponseReturnValue:
    """The report as a spreadsheet."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    edition = _copy_of(review_id)
    return _saved(edition, "xlsx", kind, sheets.xlsx(edition, _planned(edition)))


def _copy_of(review_id: uuid.UUID) -> Edition:
    """The copy that whoever is signed in may have. Raises `NotFound` where there is none for them."""
    with context.reading() as session:
        edition = reports.read(session, review_id)
        is_own = _check(session, edition)
    return edition.copy(is_own=is_own)


def _readers(edition: Edition) -> Sequence[Reader]:
    """Who else reads it, for the subject alone."""
    if not edition.is_own:
        return ()
    with context.reading() as session:
        return readers.of(session, edition.subject_id, edition.review_id)


def _planned(edition: Edition) -> Planned:
    """What stands beside the report of the subject's plans, as far as whoever is signed in may see them."""
    with context.reading() as session:
        return planning.beside(edition, plans.seen(session, edition.subject_id, context.signed_in().id))


def _nothing(review_id: uuid.UUID) -> str:
    """The page that says that nothing was published. Raises `NotFound` where there was something, or nobody to tell."""
    with context.reading() as session:
        nothing = reports.nothing_published(session, review_id)
        if nothing is None:
            raise NotFound(MISSING)
        is_own = _check(session, nothing)
    return render_template("reports/nothing.html", edition=nothing, is_own=is_own)


def _check(session: Session, edition: Edition | NothingPublished) -> bool:
    """Whether it is the reader's own. To whoever may not read it, it does not exist."""
    standing = reports.standing(session, edition, context.signed_in().id)
    _permit(Action.READ_REPORT, standing)
    return Standing.OWN in standing


MISSING = "There is no such report, or it has not been released yet."


def _note_reading(edition: Edition) -> None:
    """Writes down that somebody else's report was read."""
    if not edition.is_own:
        with context.transaction() as session:
            reports.note_reading(session, edition, actor_id=context.signed_in().id, now=context.now())


def _saved(edition: Edition, ending: str, kind: str, content: bytes) -> ResponseReturnValue:
    """The file, under a name that says nothing about anybody; noted when it is about somebody else."""
    if not edition.is_own:
        with context.transaction() as session:
            reports.note_export(session, edition, actor_id=context.signed_in().id, form=ending, now=context.now())
    return _attached(content, f"report.{ending}", kind)


def _attached(content: bytes, name: str, kind: str) -> ResponseReturnValue:
    return content, {"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'}


def shown(edition: Edition, planned: Planned = planning.NOTHING, readers: Sequence[Reader] = ()) -> str:
    """The page of this copy of a report, with what its reader may see of its subject's plans and of other readers."""
    return render_template(
        "reports/report.html",
        edition=edition,
        readers=readers,
        plan=planned.now,
        earlier=planned.earlier,
        report=edition.report,
        name=None if edition.is_own else edition.subject,
        own_label="You" if edition.is_own else "Self",
        say=sentences,
        draw=_DRAW,
        readiness=partial(readiness.of, edition.report),
        open_questions=editions.open_questions,
        private_questions=editions.private_questions,
        section=Section,
    )


_DRAW = {"axis": charts.axis, "line": shifts.line, "ladder": ladders.ladder}
