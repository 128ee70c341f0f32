"""`survey people`: people from a file, for an operator or a nightly job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click
from flask import Flask

from survey import context
from survey.cli import instances
from survey.core import imports as rules
from survey.core.errors import SurveyError
from survey.core.imports import Plan
from survey.services import addresses, imports
from survey.store.departures import Touched

PRINTED = 100


@click.group()
def people() -> None:
    """People."""


@people.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--everybody", is_flag=True, help="FILE names everybody: whoever is not in it is deactivated.")
@click.option("--yes", "is_sure", is_flag=True, help="Write it. Without this, only what would change is printed.")
@click.option(
    "--deactivate",
    "departing",
    type=click.IntRange(min=0),
    help="How many people are deactivated. Needed where it is more than 40 %.",
)
@instances.OPTION
@click.pass_obj
def import_(
    make: Callable[[Mapping[str, str]], Flask], file: Path, departing: int | None, *, everybody: bool, is_sure: bool
) -> None:
    """Add and change people as the CSV FILE says, whole or not at all.

    The first line names the columns: Name, Address, Manager's address, Team, Level, Time zone, Language. The address
    says who is meant.
    """
    source = _read(file)
    app = make(instances.environ())
    with app.app_context():
        with context.reading() as session:
            plan = imports.look(session, source, is_everybody=everybody, zones=context.time_zones())
            leaving, returning = imports.touched(session, plan)
        for line in (*_described(plan), *_touched(leaving, returning)):
            print(line)
        if not plan.is_possible:
            raise SurveyError(f"{file}: nothing was written, because of {_counted(len(plan.problems))}.")
        if not is_sure:
            print("Nothing was written. Add --yes to write it.")
            return
        with context.transaction() as session:
            done = imports.take(
                session,
                source,
                is_everybody=everybody,
                departing=departing,
                fingerprint=plan.fingerprint,
                zones=context.time_zones(),
                now=context.now(),
            )
        print("Everything was so already." if done.is_empty else "Written.")
    instances.tell(app)


@people.command("undo")
@click.option("--yes", "is_sure", is_flag=True, help="Undo it. Without this, only what would be undone is printed.")
@instances.OPTION
@click.pass_obj
def undo(make: Callable[[Mapping[str, str]], Flask], *, is_sure: bool) -> None:
    """Undo the newest import of the last hour, whole or not at all.

    What has happened meanwhile stays: mails that went out, and sign-ins and links that ended.
    """
    app = make(instances.environ())
    with app.app_context():
        with context.reading() as session:
            found = imports.undoable(session, now=context.now())
        if found is None:
            raise SurveyError("No import of the last hour is left to undo.")
        print(
            f"The import of {found.made_at:%H:%M} UTC: {found.added} added, {found.changed} changed, "
            f"{found.deactivated} deactivated."
        )
        if not is_sure:
            print("Nothing was undone. Add --yes to undo it.")
            return
        with context.transaction() as session:
            imports.undo(session, found.import_id, actor_id=None, now=context.now())
        print("Undone.")
    instances.tell(app)


@people.command("confirm-address")
@click.argument("address")
@instances.OPTION
@click.pass_obj
def confirm_address(make: Callable[[Mapping[str, str]], Flask], address: str) -> None:
    """Confirm the changed ADDRESS of somebody who cannot read mail at the one from before.

    Afterwards reports of earlier rounds open at it. Make sure who they are: both addresses get a mail, and the audit
    log says that an operator did it.
    """
    app = make(instances.environ())
    with app.app_context():
        with context.transaction() as session:
            found = addresses.vouch(session, address, now=context.now())
        print(f"{found.name}: {found.address} is confirmed in place of {found.before}.")
    instances.tell(app)


def _touched(leaving: Sequence[Touched], returning: Sequence[Touched]) -> Iterator[str]:
    for rounds, does in ((leaving, "Deactivates"), (returning, "Brings back")):
        for one in rounds:
            asked = f"{one.asked} who are asked about {one.about}"
            yield f"{does} in “{one.cycle}”: {asked}, {one.under_review} under review."


def _described(plan: Plan) -> Iterator[str]:
    yield from plan.notes
    yield from _first([f"Line {problem.line}: {problem.message}" for problem in plan.problems])
    if plan.problems:
        return
    yield from _first([f"+ {each.person.name} <{each.person.address}>" for each in plan.additions])
    yield from _first(
        [
            f"~ {each.before.name} <{each.before.address}>: "
            + "; ".join(f"{one.field} {one.before} → {one.after}" for one in each.differences)
            for each in plan.updates
        ]
    )
    yield from _first([f"- {person.name} <{person.address}>" for person in plan.departures])
    yield (
        f"{len(plan.additions)} added, {len(plan.updates)} changed, {len(plan.departures)} deactivated, "
        f"{plan.unchanged} as before."
    )


def _first(lines: list[str]) -> Iterator[str]:
    yield from lines[:PRINTED]
    if len(lines) > PRINTED:
        yield f"… and {len(lines) - PRINTED} more."


def _counted(problems: int) -> str:
    return "one problem" if problems == 1 else f"{problems} problems"


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(rules.LARGEST + 1)
    except OSError as error:
        raise SurveyError(f"{file} cannot be read: {error.strerror}.") from None
