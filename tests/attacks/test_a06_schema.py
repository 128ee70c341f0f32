"""A6: the schema. No clock, counter, foreign key or relationship() leads from an answer to a person."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    create_engine,
    func,
    inspect,
)
from sqlalchemy.orm import registry, relationship

from survey.store import base, schema
from survey.store.inspection import Verdict, walls
from tests.attacks import schemas


def test_the_program_s_schema_has_no_way_from_an_answer_to_a_person():
    assert schemas.faults(schema.metadata, base.Base.registry.mappers) == []


def test_the_tables_of_a_real_database_have_none_either(database_url):
    engine = base.connect(database_url)
    real = MetaData()
    real.reflect(engine)
    # Reflection does not tell how SQLite numbers rows; its own words do.
    for table in real.tables.values():
        if engine.dialect.name == "sqlite":
            options = inspect(engine).get_table_options(table.name)
            table.dialect_options["sqlite"]["with_rowid"] = options.get("sqlite_with_rowid", True)
        else:
            table.dialect_options["sqlite"]["with_rowid"] = False
    assert set(real.tables) - {walls.MIGRATIONS} == set(schema.TABLES)
    assert schemas.faults(real) == []
    with engine.connect() as connection:
        assert _found_by_the_audit(connection) == []
    engine.dispose()


@dataclass(frozen=True)
class Plant:
    """Something that somebody might add one day, and what must be said about it."""

    add: Callable[[MetaData], object]
    says: str
    is_in_the_audit: bool = True


def _column(table: str, *args: object, **kwargs: object) -> Callable[[MetaData], object]:
    return lambda metadata: metadata.tables[table].append_column(Column(*args, **kwargs))


def _numbered(metadata: MetaData) -> None:
    """An envelope whose key the database counts up."""
    old = metadata.tables["envelope"]
    metadata.remove(old)
    columns = [Column("id", Integer, primary_key=True, autoincrement=True), Column("box", String)]
    Table("envelope", metadata, *columns, Column("review_id", ForeignKey("review.id")))


def _with_row_numbers(metadata: MetaData) -> None:
    metadata.tables["comment"].dialect_options["sqlite"]["with_rowid"] = True


def _key_with_a_clock(metadata: MetaData) -> None:
    metadata.tables["envelope"].columns["id"].default = Column(default=uuid.uuid1).default


def _history(metadata: MetaData) -> None:
    columns = [Column("invitation_id", ForeignKey("invitation.id")), Column("at", DateTime)]
    Table("invitation_event", metadata, Column("id", Uuid, primary_key=True), *columns)


PLANTS = {
    "a time of writing on the envelope": Plant(
        _column("envelope", "created_at", DateTime, server_default=func.now()), "envelope.created_at holds a time"
    ),
    "a time of the answer on the invitation": Plant(
        _column("invitation", "answered_at", DateTime), "invitation.answered_at holds a time"
    ),
    "a time of the last change on the draft": Plant(
        _column("draft", "updated_at", String, onupdate=func.now()), "draft.updated_at holds a time"
    ),
    "a key that is counted up": Plant(_numbered, "envelope.id counts up"),
    "a key with a clock inside": Plant(_key_with_a_clock, "envelope.id holds a time", is_in_the_audit=False),
    "a number beside the key": Plant(_column("comment", "number", Integer, Identity()), "comment.number counts up"),
    "how often a rater was reminded": Plant(
        _column("invitation", "reminders", Integer), "invitation.reminders could count up"
    ),
    "row numbers in SQLite": Plant(_with_row_numbers, "comment has row numbers in SQLite", is_in_the_audit=False),
    "a key from the invitation to its envelope": Plant(
        _column("invitation", "envelope_id", ForeignKey("envelope.id")), "invitation.envelope_id leads to envelope"
    ),
    "a key from the comment to who wrote it": Plant(
        _column("comment", "author_id", ForeignKey("person.id")), "comment.author_id leads to person"
    ),
    "a key from the draft to its invitation": Plant(
        _column("draft", "invitation_id", ForeignKey("invitation.id")), "draft.invitation_id leads to invitation"
    ),
    "a key from the report to a rater": Plant(
        _column("report", "rater_id", ForeignKey("person.id")), "report.rater_id leads to person"
    ),
    "a table of what happened to an invitation": Plant(_history, "invitation_event.invitation_id leads to invitation"),
    "a column that says nothing yet": Plant(_column("comment", "note", String), "comment.note is not on the list"),
}


@pytest.mark.parametrize("name", PLANTS)
def test_whatever_somebody_may_add_one_day_is_found(name):
    plant, changed = PLANTS[name], _copy()
    assert schemas.faults(changed) == []
    plant.add(changed)
    assert plant.says in schemas.faults(changed)
    # The audit of a live installation finds it too, where the tables themselves show it.
    engine = create_engine("sqlite://")
    changed.create_all(engine)
    with engine.connect() as connection:
        assert bool(_found_by_the_audit(connection)) is plant.is_in_the_audit
    engine.dispose()


@pytest.mark.parametrize(("source", "target"), [("envelope", "review"), ("review", "envelope"), ("comment", "person")])
def test_a_relationship_between_objects_is_found(source, target):
    changed, mapped = _copy(), registry()
    if (source, target) == ("comment", "person"):
        _column("comment", "author_id", ForeignKey("person.id"))(changed)
    classes = {name: type(name, (), {}) for name in (source, target)}
    mapped.map_imperatively(classes[target], changed.tables[target])
    mapped.map_imperatively(
        classes[source], changed.tables[source], properties={"other": relationship(classes[target])}
    )
    mapped.configure()
    assert f"relationship {source}.other to {target}" in schemas.faults(changed, mapped.mappers)
    mapped.dispose()


def _copy() -> MetaData:
    copy = MetaData(naming_convention=base.NAMES)
    for table in schema.metadata.tables.values():
        table.to_metadata(copy)
    return copy


def _found_by_the_audit(connection):
    return [phrase for look in walls.look(connection) if look.verdict is Verdict.FOUND for phrase in look.found]
