"""A database of PostgreSQL is lent again empty and as the migrations made it, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

pytestmark = pytest.mark.postgresql

WRITE = "INSERT INTO competency SELECT gen_random_uuid(), 'number ' || n FROM generate_series(1, 50) n"


def test_it_is_lent_again_without_a_row(databases):
    url = databases.lend("postgresql")
    _say(url, WRITE)
    databases.take_back(url)
    assert databases.lend("postgresql") == url
    engine = create_engine(url)
    with engine.connect() as connection:
        told = connection.exec_driver_sql("SELECT count(*), pg_relation_size('competency') FROM competency").one()
        versions = connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar()
    engine.dispose()
    assert (*told, versions) == (0, 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE audit_entry DISABLE TRIGGER USER",
        "ALTER TABLE person ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE cycle DROP CONSTRAINT ck_cycle_minimum_protects",
        "CREATE TABLE extra (number integer)",
        "CREATE FUNCTION extra() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER DATABASE {database} SET work_mem = '5MB'",
        "UPDATE alembic_version SET version_num = 'another'",
        "DROP TABLE alembic_version",
    ],
)
def test_one_that_was_changed_is_not_lent_again(databases, change):
    url = databases.lend("postgresql")
    _say(url, change)
    databases.take_back(url)
    assert databases.lend("postgresql") != url


def test_one_that_somebody_still_writes_to_is_not_lent_again(databases):
    url = databases.lend("postgresql")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql(WRITE)
        databases.take_back(url)
    engine.dispose()
    assert databases.lend("postgresql") != url


def _say(url, statement):
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement.replace("{database}", engine.url.database))
    engine.dispose()
