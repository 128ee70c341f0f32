"""`survey keys`: which directory of keys is the right one, and keys that come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
from flask import Flask

from survey import context
from survey.cli import instances
from survey.services import keys as services
from survey.store import key_copies

Make = Callable[[Mapping[str, str]], Flask]


@click.group()
def keys() -> None:
    """The directory of keys."""


@keys.command("mark")
@click.option("--yes", is_flag=True, help="Do not ask.")
@instances.OPTION
@click.pass_obj
def mark(make: Make, *, yes: bool) -> None:
    """Make the directory that SURVEY_KEY_DIRECTORY names the one of this installation.

    For when the right one is lost, or when of two copies this one is to be used. A disk that is only not mounted is to
    be mounted instead.
    """
    app = make(instances.environ())
    with app.app_context():
        keyring = context.installation().keyring
        with context.reading() as session:
            missing = services.missing(session, keyring)
        print(f"{keyring.directory} becomes the directory of keys. Any other one counts as a copy from then on.")
        for name in missing:
            print(f"{name}: its key is not in it. What was answered cannot be counted unless the key is brought back.")
        if not yes:
            click.confirm("Is that what you want?", abort=True)
        with context.transaction() as session:
            services.mark(session, keyring, now=context.now())
        print("Marked. Start web server and worker again.")
    instances.tell(app)


@keys.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@instances.OPTION
@click.pass_obj
def restore(make: Make, file: Path) -> None:
    """Put keys that are missing back from FILE, a copy that `survey backup --keys` made.

    Only those of rounds that wait for theirs; a key that was destroyed does not come back.
    """
    copies = key_copies.read(file)
    app = make(instances.environ())
    with app.app_context():
        keyring = context.installation().keyring
        with context.transaction() as session:
            refused = key_copies.put_back(keyring, copies, services.may_come_back(session, keyring))
        for name in refused:
            print(f"The key {name} is not needed: it is there, or was destroyed, or its round is not known.")
        number = len(copies) - len(refused)
        print(f"{number} key{'s' if number != 1 else ''} put back. Delete the copy as soon as the rounds are counted.")
    instances.tell(app)
