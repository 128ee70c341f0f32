"""The `survey` command. An error is one sentence on standard error, and exit code 2."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
from flask import Flask
from sqlalchemy.exc import OperationalError, ProgrammingError

from survey import context
from survey.cli import audits, backups, clocks, doctor, instances, key_directories, machine, reports
from survey.cli import demo as demonstration
from survey.cli import people as staff
from survey.core import competencies as rules
from survey.core.competencies import Page, Section
from survey.core.cycles import Phase
from survey.core.errors import BadPage, SurveyError
from survey.services import canary as canaries
from survey.services import competencies, cycles, keys, participation, people
from survey.store import schema

Make = Callable[[Mapping[str, str]], Flask]
T = TypeVar("T")

PAGE_LIMIT = 256 * 1024
BAD = 2


def main(make: Make) -> None:
    """Runs the command line with an app made by `make`."""
    try:
        code = survey.main(standalone_mode=False, obj=make)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _refuse(error.format_message())
    except (SurveyError, click.exceptions.UsageError) as error:
        _refuse(str(error))
    except (OperationalError, ProgrammingError):
        _refuse("The database does not answer, or has no tables yet: run `survey db upgrade` first.")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _refuse(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(BAD)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@instances.OPTION
def survey() -> None:
    """Seek Feedback: anonymous multi-rater feedback from competency pages.

    Commands that need an installation take the one in the folder that --instance or SURVEY_INSTANCE names. Without
    it they take SURVEY_ variables, and where none is set the folder ./instance.
    """


PORT = click.option("--port", type=click.IntRange(1, 65534), default=8360, show_default=True)


@survey.command()
@instances.OPTION
@PORT
@click.option("--fresh", is_flag=True, help="Start over with new sample data.")
@click.pass_obj
def demo(make: Make, port: int, *, fresh: bool) -> None:
    """Everything on this machine, with sample data and a mailbox."""
    instance = instances.named() or instances.HERE
    if fresh:
        machine.fresh(instance)
    prepared = machine.prepare(instance, mode="demo", port=port, mailbox=True)
    app = make(prepared.environ)
    with app.app_context():
        schema.upgrade(context.installation().engine)
        _check_keys()
        print("Starting redis, the mailbox, worker, beat and web server …", flush=True)
        with machine.running(prepared) as running:
            demonstration.fill(app, prepared.directory / "mailbox")
            demonstration.tell(app, prepared.directory / "mailbox", running.web, running.mailbox or "")
            running.wait()
    print("\nEverything is stopped. The data stays in", prepared.directory)


@survey.command()
@instances.OPTION
@PORT
@click.option("--host", default="127.0.0.1", show_default=True)
@click.pass_obj
def serve(make: Make, port: int, host: str) -> None:
    """A real installation on one machine; mail goes out as the SURVEY_SMTP_ variables say."""
    instance = instances.named() or instances.HERE
    prepared = machine.prepare(instance, mode="production", host=host, port=port, environ=os.environ)
    app = make(prepared.environ)
    with app.app_context():
        schema.upgrade(context.installation().engine)
        _check_keys()
    with machine.running(prepared) as running:
        print(f"Seek Feedback answers at {running.web}", flush=True)
        running.wait()


def _check_keys() -> None:
    """Raises `KeysElsewhere`: web server and worker would do so, in their logs."""
    with context.reading() as session:
        keys.check(session, context.installation().keyring)


survey.add_command(audits.audit)
survey.add_command(key_directories.keys)
survey.add_command(reports.report)
survey.add_command(staff.people)
staff.people.add_command(reports.people_export)
survey.add_command(backups.backup)
survey.add_command(backups.restore)
survey.add_command(doctor.doctor)
survey.add_command(clocks.clock)


@survey.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@instances.OPTION
@click.pass_obj
def db_upgrade(make: Make) -> None:
    """Bring the tables up to date."""
    app = make(instances.environ())
    with app.app_context():
        schema.upgrade(context.installation().engine)
    print("The tables are up to date.")
    instances.tell(app)


@survey.command()
@instances.OPTION
@click.pass_obj
def canary(make: Make) -> None:
    """Say whether beat, redis, worker and database work together; exit code 2 where they do not."""
    with make(instances.environ()).app_context():
        now = context.now()
        with context.reading() as session:
            sang_at, is_alive = canaries.last_sang(session), canaries.is_alive(session, now=now)
    if sang_at is None:
        raise SurveyError("No task has run yet: start beat, a worker and redis, and look again in a minute.")
    if not is_alive:
        seconds = (now - sang_at).total_seconds()
        raise SurveyError(f"No task has run for {seconds:.0f} seconds: look at beat, the worker and redis.")
    print("Tasks are being run.")


@survey.group()
def admin() -> None:
    """Accounts of people operations."""


@admin.command("create")
@click.argument("address")
@instances.OPTION
@click.pass_obj
def admin_create(make: Make, address: str) -> None:
    """Make the person at ADDRESS people operations."""
    app = make(instances.environ())
    with app.app_context():
        with context.transaction() as session:
            person = people.make_administrator(session, address, actor_id=None, now=context.now())
        print(f"{person.address} is people operations. Sign in at {context.installation().base_url}/sign-in")
    instances.tell(app)


@survey.group()
def pages() -> None:
    """Competency pages."""


FILE = click.argument("file", type=click.Path(path_type=Path))
COMPETENCY = click.option("--competency", help="The competency's name, if the page does not state it.")


@pages.command("check")
@FILE
@COMPETENCY
@click.option("--json", "as_json", is_flag=True, help="Print what was read as JSON.")
def pages_check(file: Path, competency: str | None, *, as_json: bool) -> None:
    """Read FILE as a page and say what came of it."""
    page = _parse(file, competency)
    print(json.dumps(rules.as_json(page), ensure_ascii=False, indent=2) if as_json else _summary(page))


@pages.command("import")
@FILE
@COMPETENCY
@instances.OPTION
@click.pass_obj
def pages_import(make: Make, file: Path, competency: str | None) -> None:
    """Import FILE as the newest version of its page."""
    source = _read(file)
    app = make(instances.environ())
    with app.app_context(), context.transaction() as session:
        row = _named(file, lambda: competencies.import_page(session, source, competency=competency))
        print(f"{row.title} is ready to be used.")
    instances.tell(app)


@survey.group()
def cycle() -> None:
    """Rounds."""


@cycle.command("list")
@instances.OPTION
@click.pass_obj
def cycle_list(make: Make) -> None:
    """All rounds, with answers per review in counts."""
    with make(instances.environ()).app_context(), context.reading() as session:
        rows = cycles.everything(session)
        if not rows:
            print("There is no round yet.")
        for row in rows:
            print(f"{row.id}  {row.name}  ({Phase(row.phase).label}, last day {row.last_day})")
            going = participation.of(session, row.id, now=context.now())
            for review_id, subject, _ in cycles.listed(session, row.id):
                said = f"{going[review_id].answered} of {going[review_id].invited} answered"
                print(f"    {review_id}  {subject}  {said if going[review_id].invited else 'not opened'}")


def _parse(file: Path, competency: str | None) -> Page:
    source = _read(file)
    return _named(file, lambda: rules.parse(source, competency=competency))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            # One byte more than fits is enough to see that it is too much.
            return opened.read(PAGE_LIMIT + 1)
    except OSError as error:
        raise SurveyError(f"{file} cannot be read: {error.strerror}.") from None


def _named(file: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except BadPage as error:
        raise SurveyError(f"{file}: {error}") from None


def _summary(page: Page) -> str:
    lines = [f"{page.competency or 'A page that names no competency'}, level {page.level or '(not stated)'}"]
    for section in Section:
        if section is Section.MINDSET_SHIFT:
            lines.append(f"  {section.heading}: {'yes' if page.mindset_shift else 'none'}")
        else:
            lines.append(f"  {section.heading}: {len(page.items(section))}")
    lines += [f"  Line {problem.line}: {problem.message}" for problem in page.problems]
    return "\n".join(lines)
