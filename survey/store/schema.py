"""All tables in one place, for migrations and for whoever must know the whole schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, literal, select, text

from survey.store import (
    audit,
    canary,
    changes,
    clocks,
    competencies,
    custody,
    cycles,
    envelopes,
    hands,
    imports,
    instruments,
    invitations,
    key_places,
    mailings,
    nominations,
    outbox,
    people,
    plans,
    readers,
    reports,
)
from survey.store.base import Base

# alembic is imported where it is used: a server that is not asked whether it is ready has no use for it.
if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

metadata = Base.metadata

TABLES = {
    table.__tablename__: table
    for table in (
        people.Person,
        people.SignInLink,
        people.SignIn,
        hands.Hand,
        competencies.Competency,
        competencies.CompetencyPage,
        cycles.Cycle,
        cycles.Review,
        cycles.ReviewPage,
        nominations.Nomination,
        invitations.Invitation,
        invitations.InvitationToken,
        envelopes.Envelope,
        envelopes.Draft,
        reports.Cell,
        reports.Comment,
        reports.Report,
        reports.Withheld,
        outbox.Mail,
        audit.AuditEntry,
        imports.PeopleImport,
        imports.ImportUndo,
        changes.PersonChange,
        changes.UnconfirmedAddress,
        changes.AddressLink,
        readers.ReportReader,
        custody.Custody,
        mailings.Mailing,
        mailings.Snooze,
        mailings.RefusedAddress,
        plans.Plan,
        plans.PlannedStep,
        instruments.Instrument,
        canary.Canary,
        clocks.LastLook,
        key_places.KeyPlace,
    )
}
"""Every table by its name."""


def upgrade(engine: Engine, *, to: str = "head") -> None:
    """Brings the tables of this database to a revision, in one transaction."""
    with engine.begin() as connection:
        migrate(connection, to=to)


def migrate(connection: Connection, *, to: str = "head") -> None:
    """Brings the tables to a revision; the caller commits."""
    from alembic import command  # noqa: PLC0415

    command.upgrade(_alembic(connection), to)


def downgrade(engine: Engine, *, to: str) -> None:
    """Takes the tables of this database back to a revision, in one transaction."""
    from alembic import command  # noqa: PLC0415

    with engine.begin() as connection:
        command.downgrade(_alembic(connection), to)


def is_empty(connection: Connection) -> bool:
    """Whether the database has no tables, or those of this program without a single row."""
    if not inspect(connection).get_table_names():
        return True
    return is_current(connection) and not any(
        connection.execute(select(literal(1)).select_from(table).limit(1)).first() for table in metadata.sorted_tables
    )


def others(connection: Connection) -> int:
    """How many other connections the database has, where it can tell; 0 on SQLite."""
    if connection.dialect.name != "postgresql":
        return 0
    return (
        connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
        or 0
    )


def is_current(connection: Connection) -> bool:
    """Whether the tables are those that this program knows."""
    return revision(connection) == head()


def revision(connection: Connection) -> str | None:
    """The revision of the tables of this database; None where there are none."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    return MigrationContext.configure(connection).get_current_revision()


@cache
def head() -> str | None:
    """The revision that this program knows. Read once: a new program is a new process."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(_settings()).get_current_head()


def _alembic(connection: Connection) -> Config:
    settings = _settings()
    settings.attributes["connection"] = connection
    return settings


def _settings() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    return settings
