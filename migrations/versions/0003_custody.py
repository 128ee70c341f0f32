"""Custodians of keys, and the auditor's objections."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0003"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "custody",
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("passphrases", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("is_tested", sa.Boolean(), nullable=False),
        sa.Column("is_unlocked", sa.Boolean(), nullable=False),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.CheckConstraint("passphrases IN (1, 2)", name=op.f("ck_custody_passphrases_are_few")),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_custody_cycle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cycle_id", name=op.f("pk_custody")),
    )
    op.add_column("review", sa.Column("is_objected", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("review", "is_objected")
    op.drop_table("custody")
