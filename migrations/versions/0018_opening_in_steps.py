"""A round may be on its way to being open: who opened it, and where it came from."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

PHASES = "'open', 'closed', 'tallied', 'released', 'archived'"
BEFORE, AFTER = "'draft', 'nominating'", "'draft', 'nominating', 'opening'"


def upgrade() -> None:
    op.add_column("cycle", sa.Column("opener_id", sa.Uuid(), nullable=True))
    op.add_column("cycle", sa.Column("was_nominating", sa.Boolean(), server_default=sa.false(), nullable=False))
    _know_phases(BEFORE, AFTER)
    # Attempts are those at the step that is next: what was counted so far is none of it.
    op.execute("UPDATE cycle SET attempts = 0 WHERE phase <> 'closed'")
    op.execute("UPDATE review SET attempts = 0 WHERE is_tallied")


def downgrade() -> None:
    # What was being opened is a draft again, and nobody has been asked anything.
    op.execute(
        "DELETE FROM invitation WHERE review_id IN "
        "(SELECT r.id FROM review r JOIN cycle c ON c.id = r.cycle_id WHERE c.phase = 'opening')"
    )
    op.execute(
        "UPDATE review SET questionnaire = NULL, invited = NULL, minutes = NULL, managers = NULL WHERE cycle_id IN "
        "(SELECT id FROM cycle WHERE phase = 'opening')"
    )
    op.execute("UPDATE cycle SET phase = 'nominating', attempts = 0 WHERE phase = 'opening' AND was_nominating")
    op.execute("UPDATE cycle SET phase = 'draft', attempts = 0 WHERE phase = 'opening'")
    _know_phases(AFTER, BEFORE)
    op.drop_column("cycle", "was_nominating")
    op.drop_column("cycle", "opener_id")


def _know_phases(old: str, new: str) -> None:
    """Puts these phases before the launch in place of those, in both constraints that name them."""
    constraints = {
        "phase_is_known": "phase IN ({}, " + PHASES + ")",
        "open_means_sealed": "phase IN ({}) OR public_key IS NOT NULL",
    }
    if op.get_bind().dialect.name != "sqlite":
        for name, rule in constraints.items():
            op.drop_constraint(op.f(f"ck_cycle_{name}"), "cycle", type_="check")
            op.create_check_constraint(op.f(f"ck_cycle_{name}"), "cycle", rule.format(new))
        return
    # A table that is made anew would take along what hangs on it; SQLite's manual changes a check like this.
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    for rule in constraints.values():
        op.get_bind().execute(
            sa.text("UPDATE sqlite_schema SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = 'cycle'"),
            {"old": rule.format(old), "new": rule.format(new)},
        )
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
