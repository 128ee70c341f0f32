"""How many envelopes of a review are shaken."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("review", sa.Column("shaken", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("review", "shaken")
