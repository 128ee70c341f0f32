"""`survey report` and `survey people export`: released reports on the terminal, as JSON, or as documents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from flask import Flask

from survey import context
from survey.cli import instances
from survey.core import sentences
from survey.core.editions import Edition
from survey.core.errors import SurveyError
from survey.core.rows import Figure
from survey.core.statistics import Interval
from survey.delivery import archives, pdf
from survey.services import people, reports

Make = Callable[[Mapping[str, str]], Flask]


@click.group()
def report() -> None:
    """Released reports."""


@report.command("show")
@click.argument("review", type=click.UUID)
@click.option("--format", "form", type=click.Choice(["text", "json", "pdf"]), default="text", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write a PDF to.")
@instances.OPTION
@click.pass_obj
def report_show(make: Make, review: uuid.UUID, form: str, output: Path | None) -> None:
    """Print the report of REVIEW, without private reflections."""
    if (form == "pdf") is (output is None):
        raise SurveyError("A PDF goes into a file, and nothing else does: name it with --format pdf --output FILE.")
    app = make(instances.environ())
    with app.app_context():
        with context.reading() as session:
            edition = reports.read(session, review).copy(is_own=False)
        if output is not None:
            _write(output, pdf.report(edition))
            with context.transaction() as session:
                reports.note_export(session, edition, actor_id=None, form=form, now=context.now())
            instances.tell(app)
            return
        with context.transaction() as session:
            if form == "json":
                reports.note_export(session, edition, actor_id=None, form=form, now=context.now())
            else:
                reports.note_reading(session, edition, actor_id=None, now=context.now())
    instances.tell(app)
    if form == "json":
        print(json.dumps(archives.plain(edition), ensure_ascii=False, indent=2))
        return
    print(f"{edition.subject} – {edition.cycle}\n")
    print(_as_text(edition))
    for chapter in edition.report.chapters:
        for question in chapter.questions:
            said = [comment for comment in edition.comments if comment.item == question.item]
            gone = sentences.taken_out(edition.said(question))
            if said or gone:
                print(f"\n{question.text}")
            for comment in said:
                print(f"  – {comment.text} ({comment.group.label.lower()})")
            if gone:
                print(f"  ({gone})")
    print(f"\n{edition.report.certificate.sentence}")


@click.command("export")
@click.argument("address")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The ZIP file to write.")
@instances.OPTION
@click.pass_obj
def people_export(make: Make, address: str, output: Path) -> None:
    """Write every released report about the person at ADDRESS into one ZIP file, without private reflections.

    For whoever asks what is kept about them and cannot sign in. Each report goes into the audit log.
    """
    app = make(instances.environ())
    with app.app_context():
        with context.reading() as session:
            person = people.at(session, address)
            editions = [edition.copy(is_own=False) for edition in reports.about(session, person.id)]
        content = archives.archive(editions, subject=person.name, is_own=False)
        # Written inside the transaction: there is no file without its entry, and no entry without its file.
        with context.transaction() as session:
            for edition in editions:
                reports.note_export(session, edition, actor_id=None, form="zip", now=context.now())
            _write(output, content)
    instances.tell(app)


def _write(output: Path, content: bytes) -> None:
    try:
        output.write_bytes(content)
    except OSError as error:
        raise SurveyError(f"{output} cannot be written: {error.strerror}.") from None
    print(f"{output} is written.")


def _as_text(edition: Edition) -> str:
    report, lines = edition.report, []
    for chapter in report.chapters:
        lines.append(chapter.title)
        for row in chapter.rows:
            values_ = [f"self {row.own or '–'}", f"manager {row.manager or '–'}"]
            values_ += [_figure_as_text(figure, len(row.scale)) for figure in row.figures]
            lines += [f"  {row.text}", f"      {'; '.join(values_)}"]
            said = (
                sentences.verdict(row, edition.subject),
                sentences.moved(row, report),
                sentences.rests_on(row, report),
            )
            lines += [f"      {words}" for words in said if words]
    return "\n".join(lines)


def _figure_as_text(figure: Figure, points: int) -> str:
    said = f"{figure.group.label} {sentences.says(figure, points)}"
    if points > 2 and figure.low is not None and figure.high is not None:
        shown = Interval(figure.low, figure.high).clipped(points)
        said += f" [{shown.low:.1f} to {shown.high:.1f}]"
    return f"{said} (n = {figure.n})"
