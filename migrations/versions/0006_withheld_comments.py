"""Counts of withheld comments, and an audit log whose entries cannot be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

REFUSAL = "an entry of the audit log is never changed or deleted"


def upgrade() -> None:
    op.create_table(
        "withheld",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("comments", sa.Integer(), nullable=False),
        sa.CheckConstraint("comments >= 1", name=op.f("ck_withheld_some_were")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_withheld_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", "item", "group", name=op.f("pk_withheld")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_entry_about", "audit_entry", ["about"])
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_entry_stays")
        op.execute("DROP TRIGGER audit_entry_is_not_emptied")
    else:
        op.execute("DROP TRIGGER audit_entry_stays ON audit_entry")
        op.execute("DROP TRIGGER audit_entry_is_not_emptied ON audit_entry")
        op.execute("DROP FUNCTION refuse_to_change_the_audit_log()")
    op.drop_index("ix_audit_entry_about", "audit_entry")
    op.drop_table("withheld")


def _guards(dialect: str) -> list[str]:
    """They stop slips and this program's own account. Whoever owns the tables can drop them: hence the hashes."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE {event} ON audit_entry BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            for name, event in (("audit_entry_stays", "UPDATE"), ("audit_entry_is_not_emptied", "DELETE"))
        ]
    return [
        "CREATE FUNCTION refuse_to_change_the_audit_log() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
        "CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_audit_log()",
        "CREATE TRIGGER audit_entry_is_not_emptied BEFORE TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_audit_log()",
    ]
