"""Figures keep nothing of how few raters differ, but one bit where that tells of nobody.

From six raters on the sum of squares stands in the distribution. Of fewer it was rounded up, and even so told too much:
it goes for good, also of rounds that were counted before. Their finished reports do not change.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

CELL = sa.table(
    "cell",
    sa.column("review_id", sa.Uuid()),
    sa.column("item", sa.String()),
    sa.column("group", sa.String()),
    sa.column("n", sa.Integer()),
    sa.column("total", sa.Integer()),
    sa.column("squares", sa.Integer()),
    sa.column("counts", sa.JSON()),
)


def upgrade() -> None:
    op.drop_column("cell", "squares")
    op.add_column("cell", sa.Column("is_far_apart", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("cell", "is_far_apart")
    op.add_column("cell", sa.Column("squares", sa.Integer(), nullable=True))
    # What a single person rated, and what a distribution says. Of few raters nobody knows it any more.
    op.execute(sa.update(CELL).where(CELL.c.n == 1).values(squares=CELL.c.total * CELL.c.total))
    bind = op.get_bind()
    counted = sa.select(CELL).where(CELL.c.n >= 6)
    for row in bind.execute(counted).all():
        squares = sum(count * point**2 for point, count in enumerate(row.counts, 1))
        key = (CELL.c.review_id == row.review_id, CELL.c.item == row.item, CELL.c.group == row.group)
        bind.execute(sa.update(CELL).where(*key).values(squares=squares))
