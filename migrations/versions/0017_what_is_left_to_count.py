"""What is left to count and to build of a round is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

LEFT = {
    "ix_review_uncounted": sa.column("is_tallied", sa.Boolean()).is_(False),
    "ix_review_unbuilt": sa.column("published", sa.JSON(none_as_null=True)).is_not(None),
}


def upgrade() -> None:
    for name, condition in LEFT.items():
        op.create_index(name, "review", ["cycle_id"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name in LEFT:
        op.drop_index(name, "review")
