"""Sign-ins say where and since when, so that people can end them."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0010"
down_revision = "0002"


def upgrade() -> None:
    # Whoever is signed in has to sign in once more: when they began is not known.
    op.execute("DELETE FROM sign_in")
    with op.batch_alter_table("sign_in") as table:
        table.add_column(sa.Column("began_at", UtcDateTime(), nullable=False))
        table.add_column(sa.Column("browser", sa.String(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("sign_in") as table:
        table.drop_column("browser")
        table.drop_column("began_at")
