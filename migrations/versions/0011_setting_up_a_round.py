"""What a launcher decides while a round is set up."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("cycle", sa.Column("labels", sa.JSON(), nullable=True))
    op.add_column("cycle", sa.Column("greeting", sa.String(), server_default="", nullable=False))
    op.add_column("cycle", sa.Column("reminders", sa.JSON(), nullable=True))
    op.add_column("cycle", sa.Column("is_scheduled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("cycle", sa.Column("is_cancelled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("review", sa.Column("choice", sa.String(), server_default="open", nullable=False))
    op.add_column("person", sa.Column("is_external", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("person", "is_external")
    op.drop_column("review", "choice")
    for column in ("is_cancelled", "is_scheduled", "reminders", "greeting", "labels"):
        op.drop_column("cycle", column)
