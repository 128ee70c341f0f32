"""By whose hand somebody came into the directory, or to their address; and since when a round is prepared."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("cycle", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "hand",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_founding", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_hand_person_id_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", "actor_id", name=op.f("pk_hand")),
    )


def downgrade() -> None:
    op.drop_table("hand")
    op.drop_column("cycle", "begun_at")
