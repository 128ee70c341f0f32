"""Outside raters: a relationship of their own, who chose whom, and whose word is still awaited."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

BEFORE = "relationship IN ('self', 'manager', 'peer', 'direct_report', 'other')"
AFTER = "relationship IN ('self', 'manager', 'peer', 'direct_report', 'other', 'outside')"
RATERS = ("nomination", "invitation")


def upgrade() -> None:
    _know_relationships(BEFORE, AFTER)
    op.add_column("nomination", sa.Column("chosen_by_id", sa.Uuid(), nullable=True))
    op.add_column("nomination", sa.Column("awaits_word", sa.Boolean(), server_default=sa.false(), nullable=False))
    # In rounds that are not open, people of other companies are of that group, and wait for somebody's word.
    op.execute(
        "UPDATE nomination SET relationship = 'outside', awaits_word = true WHERE rater_id IN "
        "(SELECT id FROM person WHERE is_external) AND review_id IN (SELECT r.id FROM review r JOIN cycle c "
        "ON c.id = r.cycle_id WHERE c.phase IN ('draft', 'nominating'))"
    )


def downgrade() -> None:
    op.execute("DELETE FROM nomination WHERE awaits_word")
    # Whoever is asked stays asked; the older program calls them others.
    for table in RATERS:
        op.execute(f"UPDATE {table} SET relationship = 'other' WHERE relationship = 'outside'")  # noqa: S608
    op.drop_column("nomination", "awaits_word")
    op.drop_column("nomination", "chosen_by_id")
    _know_relationships(AFTER, BEFORE)


def _know_relationships(old: str, new: str) -> None:
    if op.get_bind().dialect.name != "sqlite":
        for table in RATERS:
            name = op.f(f"ck_{table}_relationship_is_known")
            op.drop_constraint(name, table, type_="check")
            op.create_check_constraint(name, table, new)
        return
    # A table that is made anew would take along what hangs on it; SQLite's manual changes a check like this.
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    for table in RATERS:
        op.get_bind().execute(
            sa.text("UPDATE sqlite_schema SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = :table"),
            {"old": old, "new": new, "table": table},
        )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
