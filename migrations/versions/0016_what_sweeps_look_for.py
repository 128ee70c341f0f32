"""Sweeps find what is due, is being sent or has expired without looking at all that is to come or went out."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for name in ("due_at", "mail_id"):
        op.drop_index(f"ix_mailing_{name}", "mailing")
    _index("outbox", ["state", "lease_until"], "lease_until IS NOT NULL")
    _index("mailing", ["due_at"], "mail_id IS NULL")
    _index("mailing", ["mail_id"], "mail_id IS NOT NULL")
    for table in ("sign_in", "sign_in_link"):
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def downgrade() -> None:
    for table in ("sign_in", "sign_in_link"):
        op.drop_index(f"ix_{table}_expires_at", table)
    op.drop_index("ix_outbox_state_lease_until", "outbox")
    for name in ("due_at", "mail_id"):
        op.drop_index(f"ix_mailing_{name}", "mailing")
        op.create_index(f"ix_mailing_{name}", "mailing", [name])


def _index(table: str, columns: list[str], where: str) -> None:
    rows = sa.text(where)
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns, postgresql_where=rows, sqlite_where=rows)
