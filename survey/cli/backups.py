"""`survey backup` and `survey restore`: the database and the keys of open rounds, apart from each other."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from flask import Flask
from sqlalchemy.orm import Session

from survey import context
from survey.cli import instances
from survey.core.errors import BadBackup
from survey.services import keys as key_service
from survey.services import restores
from survey.services.restores import Settled
from survey.store import backups, base, key_copies, key_places, schema

Make = Callable[[Mapping[str, str]], Flask]


@dataclass(frozen=True)
class Restored:
    """What came of a restore."""

    rows: int
    settled: Settled
    keys: int
    refused: tuple[str, ...]
    lost: tuple[str, ...]


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--keys", is_flag=True, help="Also copy the keys of open rounds, into a file of their own.")
@instances.OPTION
@click.pass_obj
def backup(make: Make, directory: Path, *, keys: bool) -> None:
    """Copy the database into a new file in DIRECTORY, while the program runs."""
    app = make(instances.environ())
    with app.app_context():
        now = context.now()
        path = _new(directory, f"seek-feedback-{now:%Y%m%d-%H%M%S}.database.gz")
        written = backups.write(context.installation().engine, path, now=now)
        print(f"{path}: {sum(written.values())} rows of {len(written)} tables.")
        if keys:
            with context.reading() as session:
                key_service.check(session, context.installation().keyring)
            copied = path.with_name(path.name.replace(".database.gz", ".keys"))
            number = key_copies.write(context.installation().keyring, copied)
            print(f"{copied}: {number} key{'s' if number != 1 else ''}.")
            print(
                "Whoever has both files opens every answer of the open rounds. Move the keys to another place than the "
                "database, keep them for days, and delete them when the rounds have been counted."
            )
        else:
            print("Without the keys: if their directory is lost, the answers of open rounds are lost (see --keys).")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--keys", type=click.Path(dir_okay=False, path_type=Path), help="The copy of the keys, if they were lost."
)
@click.option("--replace", is_flag=True, help="Delete what is in the database now.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
@click.option("--new-links", is_flag=True, help="Mail a new link to everybody who is asked in an open round.")
@instances.OPTION
@click.pass_obj
def restore(make: Make, file: Path, keys: Path | None, *, replace: bool, yes: bool, new_links: bool) -> None:
    """Load the backup FILE into an empty database. Stop the program first.

    Nothing is mailed again, and no link or sign-in of the time before the backup opens anything.
    """
    heading = backups.check(file)
    copies = key_copies.read(keys) if keys else {}
    app = make(instances.environ())
    with app.app_context(), _alone():
        if replace and not yes:
            click.confirm("Delete everything that is in the database now?", abort=True)
        engine, now = context.installation().engine, context.now()
        restored = _restore(file, heading.made_at, copies, replace=replace, new_links=new_links, now=now)
        base.vacuum(engine)
        _tell(heading.made_at, restored)
    instances.tell(app)


def _restore(
    file: Path, made_at: datetime, copies: Mapping[str, bytes], *, replace: bool, new_links: bool, now: datetime
) -> Restored:
    """All of it in one transaction: whatever goes wrong, the database is as it was."""
    keyring, pace = context.installation().keyring, context.installation().pace
    with context.installation().engine.begin() as connection:
        if schema.others(connection):
            raise BadBackup("Something is still connected to the database: stop web server, worker and beat first.")
        is_empty = schema.is_empty(connection)
        if not is_empty and not replace:
            raise BadBackup("The database is not empty. To delete what is in it, restore with --replace.")
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            is_current = schema.is_current(connection)
            counted: set[uuid.UUID] = restores.counted(session) if is_current else set()
            known = key_places.known(session) if is_current else set()
        backups.make_anew(connection)
        loaded = backups.load(connection, file)
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            settled = restores.settle(session, made_at=made_at, pace=pace, new_links=new_links, now=now)
            wanted = restores.need_keys(session, but=counted)
            refused = key_copies.restore(keyring, copies, wanted) if copies else []
            key_places.settle(session, keyring, known)
            waiting = restores.need_keys(session, but=set())
            lost = restores.without_keys(session, keyring, among=waiting)
            session.commit()
    return Restored(sum(loaded.values()), settled, len(copies) - len(refused), tuple(refused), tuple(lost))


def _tell(made_at: datetime, restored: Restored) -> None:
    settled = restored.settled
    print(f"{restored.rows} rows were restored, as they were at {made_at:%Y-%m-%d %H:%M} UTC.")
    print(
        f"{settled.mails_dropped} mails that were due by now are dropped: they may have gone out. None goes out twice."
    )
    print("No link and no sign-in from before opens anything: everybody signs in anew.")
    if settled.are_open:
        print(
            "Raters who had not answered when the backup was made get a new link with their next mail. What was "
            "answered since then is lost: these raters are asked again."
        )
    for name in settled.without_links:
        print(f"{name}: is open, and no further mail is planned. Restore with --new-links, or nobody can answer.")
    print("Who was erased and which comments were withheld since then is back: do that again (the audit log names it).")
    for name in settled.openings_stopped:
        print(f"{name}: was to open by itself before now and may have. Look at it, and open it by hand.")
    for name in settled.given_to_engineers:
        print(f"{name}: its engineers were to get their reports before now. They can read them, and get no mail.")
    for name in settled.about_to_close:
        print(f"{name}: its last day is over, so it closes and is counted as soon as the program runs.")
    if restored.keys:
        print(f"{restored.keys} keys were put back. Delete their copy as soon as the rounds are counted.")
    for name in restored.refused:
        print(f"The key {name} was refused: its round was counted and its key destroyed, or is not in this backup.")
    for name in restored.lost:
        print(f"{name}: has no key. Its answers cannot be read or counted, here or ever.")


def _new(directory: Path, name: str) -> Path:
    """The path of a new file in the directory, which is made if it is missing. Raises `BadBackup`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadBackup(f"{directory} cannot be used: {error.strerror}.") from None
    if (directory / name).exists():
        raise BadBackup(f"{directory / name} is there already: try again in a second.")
    return directory / name


def _alone() -> AbstractContextManager[object]:
    """Holds the instance that the command works on, if it is a folder. Raises `AlreadyRunning`."""
    instance = instances.found()
    return nullcontext() if instance is None else instances.held(instance)
