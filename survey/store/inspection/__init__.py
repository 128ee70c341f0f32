"""The promise, tested on the installation as it is: every join, leftover and trace that an attacker would look for.

Reads only, and says nothing that names a rater: counts, and names of tables, columns and settings.
"""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from survey.store.inspection import boxes, keys, snapshots, sqlite_files, traces, transactions, walls
from survey.store.inspection.looks import Look, Verdict
from survey.store.inspection.traces import Marks
from survey.store.keys import Keyring

__all__ = ["Look", "Marks", "Verdict", "database", "logs", "messages"]

logs, messages = traces.in_logs, traces.in_messages


def database(session: Session, keyring: Keyring) -> tuple[list[Look], Marks]:
    """What was tried on the database and the keys, and what to look for in logs and queues.

    The session must be new: everything is seen at one moment, in one transaction that cannot write.
    """
    connection = _still(session)
    marked = traces.marks(connection)
    found = [*walls.look(connection), *boxes.look(connection), traces.elsewhere_in_tables(connection, marked)]
    if connection.dialect.name == "sqlite":
        found += sqlite_files.look(connection, marked)
    else:
        found += transactions.look(connection)
    found += keys.look(connection, keyring)
    found += snapshots.look(connection)
    return sorted(found, key=lambda look: int(look.attack[1:])), marked


def _still(session: Session) -> Connection:
    if session.get_bind().dialect.name == "sqlite":
        # A transaction sees one moment once it has read.
        connection = session.connection()
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        return connection
    return session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
