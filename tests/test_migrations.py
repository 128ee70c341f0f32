"""Migrations: up, down and up again on both databases, and the tables are those of the models."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from survey.store import base, schema


@pytest.fixture
def engine(database_url):
    made = base.connect(database_url)
    yield made
    made.dispose()


def test_the_tables_are_those_of_the_models(engine):
    with engine.connect() as connection:
        found = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(found, schema.metadata) == []
        assert schema.is_current(connection)


def test_migrations_go_down_to_nothing_and_up_again(engine):
    schema.downgrade(engine, to="base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    schema.upgrade(engine)
    assert set(schema.TABLES) < set(inspect(engine).get_table_names())


def test_the_schema_module_names_every_table():
    assert set(schema.TABLES) == set(schema.metadata.tables)


@pytest.mark.parametrize("constraint", ["minimum", "group", "release"])
def test_constraints_of_the_promise_are_in_the_database(engine, constraint):
    names = {check["name"] for table in ("cycle", "cell") for check in inspect(engine).get_check_constraints(table)}
    expected = {
        "minimum": "ck_cycle_minimum_protects",
        "group": "ck_cell_minimum_holds",
        "release": "ck_cycle_released_means_unlinkable",
    }
    assert expected[constraint] in names
