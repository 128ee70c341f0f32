"""Plans of next steps, and reports that managers read first."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0012"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("cycle", sa.Column("manager_days", sa.Integer(), server_default="0", nullable=False))
    op.add_column("cycle", sa.Column("held_until", UtcDateTime(), nullable=True))
    op.create_table(
        "plan",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("check_in_on", sa.Date(), nullable=True),
        sa.Column("shared_with_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_plan_review_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["shared_with_id"], ["person.id"], name=op.f("fk_plan_shared_with_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_plan")),
    )
    op.create_table(
        "planned_step",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("page", sa.String(), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["review_id"], ["plan.review_id"], name=op.f("fk_planned_step_review_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("review_id", "position", name=op.f("pk_planned_step")),
    )


def downgrade() -> None:
    op.drop_table("planned_step")
    op.drop_table("plan")
    op.drop_column("cycle", "held_until")
    op.drop_column("cycle", "manager_days")
