"""Where an answer's words can be found: nowhere while a round is open, in `comment` alone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from survey import context
from survey.store import base

pytestmark = pytest.mark.untouched

CANARY = "The canary sings at noon"


def test_words_are_nowhere_while_open_and_in_comment_alone_after_the_count(company):
    cycle_id, _ = company.open()
    for name, token in company.tokens().items():
        company.answer(token, words=f"{CANARY}, says {name}.")
    assert _tables_with(CANARY) == set()
    assert not _is_in_files(CANARY)
    company.close(cycle_id)
    assert _tables_with(CANARY) == set()
    company.count()
    base.vacuum(context.installation().engine)
    assert _tables_with(CANARY) == {"comment"}
    with context.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM envelope")) == 0
        assert session.scalar(text("SELECT count(*) FROM draft")) == 0
    assert not context.installation().keyring.is_kept(cycle_id)


def test_words_that_too_few_wrote_are_nowhere_at_all(company):
    cycle_id, _ = company.open()
    for name, token in company.tokens().items():
        company.answer(token, words=f"{CANARY}, says {name}." if name in {"ana", "ben", "ines"} else "")
    company.close(cycle_id)
    company.count()
    base.vacuum(context.installation().engine)
    assert _tables_with(CANARY) == set()
    assert not _is_in_files(CANARY)


def _tables_with(words: str) -> set[str]:
    """The tables that hold these words anywhere, in text or in bytes."""
    engine = context.installation().engine
    found = set()
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"'):
                content = "".join(
                    bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                    for value in row
                )
                if words in content:
                    found.add(table)
    return found


def _is_in_files(words: str) -> bool:
    """Whether a file of a SQLite database holds these words. Of PostgreSQL the tables are looked at."""
    engine = context.installation().engine
    if engine.dialect.name != "sqlite":
        return False
    folder = Path(engine.url.database or "").parent
    return any(words.encode() in path.read_bytes() for path in folder.iterdir())
