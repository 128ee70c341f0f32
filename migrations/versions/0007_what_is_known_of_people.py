"""What is known of people, and files of people that wait for a yes."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0007"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("person", sa.Column("team", sa.String(), server_default="", nullable=False))
    op.add_column("person", sa.Column("level", sa.Integer(), nullable=True))
    op.add_column("person", sa.Column("time_zone", sa.String(), nullable=True))
    op.add_column("person", sa.Column("language", sa.String(), server_default="en", nullable=False))
    op.add_column("person", sa.Column("is_erased", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "people_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("is_everybody", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["person.id"], name=op.f("fk_people_import_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_import")),
    )
    op.create_index("ix_people_import_owner_id", "people_import", ["owner_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_people_import_owner_id", table_name="people_import")
    op.drop_table("people_import")
    for column in ("is_erased", "language", "time_zone", "level", "team"):
        op.drop_column("person", column)
