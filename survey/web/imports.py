"""People from a file: uploaded, looked at, confirmed. And people as a file."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, HiddenField

from survey import context
from survey.context import needs
from survey.core import imports as rules
from survey.core.access import Action
from survey.core.audit import Event
from survey.core.errors import BadInput, NotFound
from survey.core.imports import Column, Plan
from survey.core.people import Profile
from survey.services import imports
from survey.store import audit

pages = Blueprint("imports", __name__, url_prefix="/people/import")

SHOWN = 200
SAMPLE = (
    Profile("Marta Lindqvist", "marta@company.example", None, "Platform", 5, "Europe/Stockholm"),
    Profile("Sam Rivera", "sam@company.example", "marta@company.example", "Platform", 3, "Europe/Madrid"),
    Profile("Zoë Okafor", "zoe@company.example", "sam@company.example", "Search, ranking", 2, language="de"),
)


class FileForm(FlaskForm):
    """A file of people."""

    file = FileField("A CSV file", render_kw={"accept": ".csv,.tsv,.txt,text/csv"})
    is_everybody = BooleanField("This file is everybody: deactivate whoever is not in it")


class ConfirmForm(FlaskForm):
    """The yes to a plan; `plan` is the fingerprint of the one that was shown."""

    plan = HiddenField()


@pages.url_value_preprocessor
def make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A file of people may be larger than what other pages take. Set before the form is read for its token."""
    if endpoint == "imports.upload":
        request.max_content_length = rules.LARGEST + 64 * 1024


@pages.route("", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def upload() -> ResponseReturnValue:
    """The form for a file, and what is wrong with the one that was sent."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = FileForm()
    plan: Plan | None = None
    if form.validate_on_submit():
        source = _content(form.file.data)
        everybody = bool(form.is_everybody.data)
        try:
            if not form.file.data:
                raise BadInput("Please choose a file.")
            with context.reading() as session:
                plan = imports.look(session, source, is_everybody=everybody, zones=context.time_zones())
        except BadInput as error:
            form.file.errors = [str(error)]
        else:
            if plan.is_possible:
                with context.transaction() as session:
                    import_id = imports.keep(
                        session, source, owner_id=account.id, is_everybody=everybody, now=context.now()
                    )
                return redirect(url_for("imports.preview", import_id=import_id), 303)
    page = render_template(
        "imports/upload.html",
        form=form,
        problems=plan.problems[:SHOWN] if plan else (),
        more=max(0, len(plan.problems) - SHOWN) if plan else 0,
        notes=plan.notes if plan else (),
        columns=list(Column),
    )
    return page, 400 if form.is_submitted() else 200


@pages.route("/<uuid:import_id>", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def preview(import_id: uuid.UUID) -> ResponseReturnValue:
    """What the file will do, whole; then it does exactly that, or nothing."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = ConfirmForm()
    problem = ""
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                done = imports.confirm(
                    session,
                    import_id,
                    owner_id=account.id,
                    fingerprint=_bytes(form.plan.data),
                    departing=request.form.get("departing", type=int),
                    zones=context.time_zones(),
                    now=context.now(),
                )
        except BadInput as error:
            problem = str(error)
        else:
            flash(_said(done), "done")
            return redirect(url_for("people.index"), 303)
    with context.reading() as session:
        waiting = imports.waiting(
            session, import_id, owner_id=account.id, zones=context.time_zones(), now=context.now()
        )
        leaving, returning = imports.touched(session, waiting.plan)
    form.plan.data = waiting.plan.fingerprint.hex()
    page = render_template(
        "imports/preview.html",
        form=form,
        plan=waiting.plan,
        leaving=leaving,
        returning=returning,
        is_everybody=waiting.is_everybody,
        problem=problem,
        shown=SHOWN,
        discard_href=url_for("imports.discard", import_id=import_id),
    )
    return page, 400 if problem else 200


@pages.post("/<uuid:import_id>/discard")
@needs(Action.CHANGE_PEOPLE)
def discard(import_id: uuid.UUID) -> ResponseReturnValue:
    """Forgets the file."""
    account = context.permit(Action.CHANGE_PEOPLE)
    with context.transaction() as session:
        imports.forget(session, import_id, owner_id=account.id)
    flash("The file was forgotten, and nothing was changed.", "done")
    return redirect(url_for("people.index"), 303)


@pages.route("/<uuid:import_id>/undo", methods=["GET", "POST"])
@needs(Action.CHANGE_PEOPLE)
def undo(import_id: uuid.UUID) -> ResponseReturnValue:
    """What undoing an import of the last hour does, and what it cannot; then it is done, whole or not at all."""
    account = context.permit(Action.CHANGE_PEOPLE)
    form = FlaskForm()
    problem = ""
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                imports.undo(session, import_id, actor_id=account.id, now=context.now())
        except BadInput as error:
            problem = str(error)
        else:
            context.wake("tasks.outbox.sweep")
            flash("The import was undone.", "done")
            return redirect(url_for("people.index"), 303)
    with context.reading() as session:
        found = imports.undoable(session, import_id=import_id, now=context.now())
    if found is None:
        raise NotFound("This import is more than an hour old, or was undone. It cannot be undone any more.")
    return render_template("imports/undo.html", form=form, found=found, problem=problem), 400 if problem else 200


@pages.get("/sample.csv")
@needs(Action.CHANGE_PEOPLE)
def sample() -> ResponseReturnValue:
    """A small file that shows the form."""
    context.permit(Action.CHANGE_PEOPLE)
    return _file(rules.export(SAMPLE), "people-sample.csv")


@pages.get("/everybody.csv")
@needs(Action.CHANGE_PEOPLE)
def export() -> ResponseReturnValue:
    """Everybody who is active, as a file that can be imported again."""
    account = context.permit(Action.CHANGE_PEOPLE)
    with context.transaction() as session:
        content = imports.export(session)
        audit.record(session, Event.PEOPLE_EXPORTED, actor_id=account.id, about=account.id, now=context.now())
    return _file(content, "people.csv")


def _file(content: bytes, name: str) -> Response:
    return Response(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _content(file: FileStorage | None) -> bytes:
    """What was uploaded. The file is closed: a large one lies on the disk until then."""
    if not file:
        return b""
    with closing(file):
        return bytes(file.read())


def _bytes(text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


def _said(plan: Plan) -> str:
    return (
        f"Done: {len(plan.additions)} added, {len(plan.updates)} changed, {len(plan.departures)} deactivated, "
        f"{plan.unchanged} as before."
    )
