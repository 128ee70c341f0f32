"""A round keeps the zone whose days it has; and sweeps keep the time at which they last looked."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    # Days were those of UTC until now: what was promised of open rounds stays.
    op.add_column("cycle", sa.Column("time_zone", sa.String(), server_default="UTC", nullable=False))
    op.create_table(
        "last_look",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=False),
        sa.Column("boot", sa.String(), nullable=False),
        sa.Column("uptime_seconds", sa.Integer(), nullable=False),
        sa.Column("is_held", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_last_look")),
    )


def downgrade() -> None:
    op.drop_table("last_look")
    op.drop_column("cycle", "time_zone")
