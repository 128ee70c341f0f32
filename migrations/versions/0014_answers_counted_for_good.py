"""How many answered, kept in numbers when the invitations of a round are deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("review", sa.Column("answered", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("review", "answered")
