"""The directory of keys is marked, and a key that is missing is noted."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "key_place",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("installation", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.Uuid(), nullable=False),
        sa.Column("copy_seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_key_place")),
    )
    op.add_column("cycle", sa.Column("key_missed_at", UtcDateTime(), nullable=True))
    for name in ("is_key_found", "is_key_lost"):
        op.add_column("cycle", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    for name in ("is_key_lost", "is_key_found", "key_missed_at"):
        op.drop_column("cycle", name)
    op.drop_table("key_place")
