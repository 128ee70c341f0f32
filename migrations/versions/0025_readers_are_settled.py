"""Who may read a report is settled at its release; people are told of another manager or address."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "report_reader",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.CheckConstraint(
            "word IN ('settled', 'asked', 'given', 'refused', 'withdrawn')",
            name=op.f("ck_report_reader_word_is_known"),
        ),
        _key("report_reader", "review_id", "review.id"),
        _key("report_reader", "person_id", "person.id"),
        sa.PrimaryKeyConstraint("review_id", "person_id", name=op.f("pk_report_reader")),
    )
    op.create_index("ix_report_reader_person_id", "report_reader", ["person_id"])
    op.create_table(
        "person_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "field IN ('manager', 'address', 'confirmed')", name=op.f("ck_person_change_field_is_known")
        ),
        _key("person_change", "person_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_change")),
    )
    op.create_index("ix_person_change_person_id", "person_change", ["person_id"])
    op.create_index("ix_person_change_at", "person_change", ["at"])
    op.create_table(
        "unconfirmed_address",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("proven", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        _key("unconfirmed_address", "person_id", "person.id"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_unconfirmed_address")),
    )
    op.create_table(
        "address_link",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        _key("address_link", "person_id", "person.id"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_address_link")),
    )
    op.create_index("ix_address_link_person_id", "address_link", ["person_id"])
    op.add_column("review", sa.Column("is_given", sa.Boolean(), server_default=sa.false(), nullable=False))
    _settle_what_is_released()
    # Who left while a round was open comes back to what was open: what else is void there has no nomination.
    op.execute(
        "UPDATE invitation SET state = 'open' WHERE state = 'void' AND EXISTS "
        "(SELECT 1 FROM nomination n JOIN review r ON r.id = n.review_id JOIN cycle c ON c.id = r.cycle_id "
        "WHERE n.review_id = invitation.review_id AND n.rater_id = invitation.rater_id AND c.phase = 'open')"
    )


def downgrade() -> None:
    op.execute(
        "UPDATE invitation SET state = 'void' WHERE state = 'open' AND rater_id IN "
        "(SELECT id FROM person WHERE NOT is_active)"
    )
    op.drop_column("review", "is_given")
    for table in ("address_link", "unconfirmed_address", "person_change", "report_reader"):
        op.drop_table(table)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _settle_what_is_released() -> None:
    """Those who can read a released report before this are those who can read it after it."""
    op.execute(
        """
        WITH RECURSIVE above (review_id, subject_id, person_id) AS (
            SELECT r.id, p.id, p.manager_id FROM review r
            JOIN cycle c ON c.id = r.cycle_id JOIN person p ON p.id = r.subject_id
            WHERE c.phase = 'released' AND p.manager_id IS NOT NULL
            UNION
            SELECT a.review_id, a.subject_id, p.manager_id FROM above a JOIN person p ON p.id = a.person_id
            WHERE p.manager_id IS NOT NULL
        )
        INSERT INTO report_reader (review_id, person_id, word)
        SELECT review_id, person_id, 'settled' FROM above WHERE person_id <> subject_id
        """
    )
