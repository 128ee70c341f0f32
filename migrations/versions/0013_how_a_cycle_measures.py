"""Reports built after the count with the spread of their cycle, and how well each cycle measured."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "instrument",
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_instrument_cycle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cycle_id", name=op.f("pk_instrument")),
        sqlite_with_rowid=False,
    )
    op.add_column("cycle", sa.Column("spreads", sa.JSON(), nullable=True))
    op.add_column("review", sa.Column("published", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("review", "published")
    op.drop_column("cycle", "spreads")
    op.drop_table("instrument")
