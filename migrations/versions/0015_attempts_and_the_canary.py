"""Attempts to measure and to count are counted, and the worker shows in a row that it works."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    for table in ("cycle", "review"):
        op.add_column(table, sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "canary",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sang_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_canary")),
    )


def downgrade() -> None:
    op.drop_table("canary")
    for table in ("review", "cycle"):
        op.drop_column(table, "attempts")
