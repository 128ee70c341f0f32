"""The managers above each subject, frozen at launch: the fixed tree of team views."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("review", sa.Column("managers", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("review", "managers")
