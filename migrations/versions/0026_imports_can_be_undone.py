"""What an import changed is kept for an hour, so that it can be undone."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "import_undo",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_undo")),
    )


def downgrade() -> None:
    op.drop_table("import_undo")
