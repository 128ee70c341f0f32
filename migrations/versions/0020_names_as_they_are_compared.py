"""Beside each name the form in which it is compared."""

import sqlalchemy as sa
from alembic import op

from survey.core import names

revision = "0020"
down_revision = "0019"

NAMED = ("person", "cycle", "competency")


def upgrade() -> None:
    kind = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    for table in NAMED:
        op.add_column(table, sa.Column("folded", kind, server_default="", nullable=False))
        _fill(table)


def downgrade() -> None:
    for table in NAMED:
        op.drop_column(table, "folded")


def _fill(table: str) -> None:
    rows = sa.table(table, sa.column("id"), sa.column("name"), sa.column("folded"))
    there = op.get_bind().execute(sa.select(rows.c.id, rows.c.name)).all()
    folded = [{"about": row.id, "becomes": names.folded(row.name)} for row in there]
    if folded:
        change = sa.update(rows).where(rows.c.id == sa.bindparam("about")).values(folded=sa.bindparam("becomes"))
        op.get_bind().execute(change, folded)
