"""`survey audit`: a customer tests the promise on the live installation, and that its log is whole.

Prints no text, address or name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import redis
from flask import Flask

from survey import context
from survey.cli import instances
from survey.core.audit import head_of
from survey.core.errors import SurveyError
from survey.services import audit as log
from survey.store import inspection
from survey.store.inspection import Look, Marks, Verdict

FOUND = 1

REPEATED = """
Whoever has the key of a round and copies the database again and again while people answer can link all of them.
Let custodians hold the key where raters include those who run the server."""

HEADINGS = ("", "Attack", "Tried", "On", "Found")


class NotSeen(SurveyError):
    """Part of the installation could not be looked at, so that nothing can be said about it."""


@click.group()
def audit() -> None:
    """Tests of this installation: of the promise, and of the log."""


@audit.command("anonymity")
@click.option(
    "--logs",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="A log file, or a directory of them. May be given several times.",
)
@instances.OPTION
@click.pass_obj
def anonymity(make: Callable[..., Flask], logs: tuple[Path, ...]) -> int:
    """Look for every way from an answer to a person: in the database, the keys, redis and logs.

    Reads only. Ends with 1 if anything is found, and with 2 if something could not be looked at.
    """
    app = make(instances.environ(), is_audit=True)
    with app.app_context():
        with context.reading() as session:
            looks, marks = inspection.database(session, context.installation().keyring)
        looks.append(_queues(app.extensions["config"].redis_url, marks))
    if logs:
        looks.append(inspection.logs(logs, marks))
    print(_table(looks))
    findings = sum(look.verdict is Verdict.FOUND for look in looks)
    unseen = [look.obstacle for look in looks if look.obstacle]
    if any(look.attack == "A21" and (look.said or look.found) for look in looks):
        print(REPEATED)
    if not logs:
        print("\nNo logs were looked at: name them with --logs.")
    if findings:
        print(f"\nThe promise does not hold: {findings} of {len(looks)} attacks found something.")
        return FOUND
    if unseen:
        raise NotSeen(" ".join(dict.fromkeys(unseen)))
    print(f"\nThe promise holds: {len(looks)} attacks were tried, and none found anything.")
    return 0


@audit.command("verify")
@click.option("--head", metavar="NUMBER:HASH", help="An entry that was the newest one once, as it was shown then.")
@instances.OPTION
@click.pass_obj
def verify(make: Callable[..., Flask], head: str | None) -> int:
    """Look through the audit log: whether an entry was changed, taken out, put in, or the newest ones cut off.

    Ends with 1 if the log is not whole. What was cut off at its end shows only with --head.
    """
    kept = head_of(head) if head is not None else None
    with make(instances.environ()).app_context(), context.reading() as session:
        verdict = log.verify(session, kept=kept)
    if verdict.first_broken is not None:
        print(
            f"The audit log is not whole: entry {verdict.first_broken} is missing, was changed, or does not follow "
            "the one before."
        )
        return FOUND
    if verdict.is_cut:
        print(f"The audit log is not whole: entry {kept.number if kept else ''} is not the one that was kept.")
        print("The newest entries were cut off, or all of them were written anew.")
        return FOUND
    if verdict.head is None:
        print("The audit log is empty.")
        return 0
    print(
        f"The audit log is whole: {verdict.entries} entries, from the first to the newest. Keep the newest elsewhere:"
    )
    print(verdict.head)
    return 0


def _queues(url: str, marks: Marks) -> Look:
    try:
        # Celery's name for a local socket is not that of the client.
        with redis.Redis.from_url(url.replace("redis+socket:", "unix:"), socket_timeout=10) as connection:
            return inspection.messages(_values(connection), marks)
    except redis.RedisError as error:
        sentence = f"redis cannot be read ({type(error).__name__})."
        return Look("A3", "answers, links, addresses and invitations in redis", "nothing", obstacle=sentence)


def _values(connection: Any) -> Iterator[bytes]:
    """Every key with everything under it, whatever its type."""
    for key in connection.scan_iter(count=1000):
        yield key
        match connection.type(key):
            case b"string":
                yield connection.get(key) or b""
            case b"list":
                yield from connection.lrange(key, 0, -1)
            case b"hash":
                yield from (part for pair in connection.hgetall(key).items() for part in pair)
            case b"set":
                yield from connection.smembers(key)
            case b"zset":
                yield from connection.zrange(key, 0, -1)
            case b"stream":
                yield from (part for _, pairs in connection.xrange(key) for pair in pairs.items() for part in pair)


def _table(looks: list[Look]) -> str:
    rows = [HEADINGS]
    for look in looks:
        said = look.found or ("not seen" if look.obstacle else look.said or "nothing",)
        rows.append((look.verdict, look.attack, look.tried, look.on, said[0]))
        rows += [("", "", "", "", phrase) for phrase in said[1:]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
