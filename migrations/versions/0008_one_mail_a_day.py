"""One mail a working day: a plan of mailings per person, digests in the outbox, snoozes, refused addresses."""

import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0008"
down_revision = "0006"

outbox = sa.table(
    "outbox",
    sa.column("id", sa.Uuid()),
    sa.column("kind", sa.String()),
    sa.column("person_id", sa.Uuid()),
    sa.column("reference", sa.Uuid()),
    sa.column("slot", sa.String()),
    sa.column("due_at", UtcDateTime()),
    sa.column("attempts", sa.Integer()),
    sa.column("lease_until", UtcDateTime()),
    sa.column("state", sa.String()),
)
mailing = sa.table(
    "mailing",
    sa.column("person_id", sa.Uuid()),
    sa.column("cycle_id", sa.Uuid()),
    sa.column("slot", sa.String()),
    sa.column("due_at", UtcDateTime()),
)
review = sa.table(
    "review", sa.column("id", sa.Uuid()), sa.column("questionnaire", sa.JSON()), sa.column("minutes", sa.JSON())
)


def upgrade() -> None:
    rows = _make_outbox_anew("'waiting', 'settled', 'failed'")
    about_reviews = [row for row in rows if row["kind"] in ("invitation", "reminder")]
    settled = {"sent": "settled", "dropped": "settled"}
    op.bulk_insert(
        outbox, [row | {"state": settled.get(row["state"], row["state"])} for row in rows if row not in about_reviews]
    )
    op.create_table(
        "mailing",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_mailing_cycle_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mail_id"], ["outbox.id"], name=op.f("fk_mailing_mail_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_mailing_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_id", "cycle_id", "slot", name=op.f("pk_mailing")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mailing_due_at", "mailing", ["due_at"])
    op.create_index("ix_mailing_cycle_id", "mailing", ["cycle_id"])
    op.create_index("ix_mailing_mail_id", "mailing", ["mail_id"])
    op.create_table(
        "snooze",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_snooze_cycle_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_snooze_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_id", "cycle_id", name=op.f("pk_snooze")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_snooze_cycle_id", "snooze", ["cycle_id"])
    op.create_table(
        "refused_address",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_refused_address_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_refused_address")),
        sqlite_with_rowid=False,
    )
    op.add_column("invitation_token", sa.Column("stop_hash", sa.LargeBinary(), nullable=True))
    op.create_index("ix_invitation_token_stop_hash", "invitation_token", ["stop_hash"])
    op.add_column("review", sa.Column("minutes", sa.JSON(none_as_null=True), nullable=True))
    op.bulk_insert(
        mailing,
        [
            {
                "person_id": row["person_id"],
                "cycle_id": row["reference"],
                "slot": "opening" if row["kind"] == "invitation" else row["slot"],
                "due_at": row["due_at"],
            }
            for row in about_reviews
            if row["state"] == "waiting"
        ],
    )
    _count_minutes()


def downgrade() -> None:
    planned = op.get_bind().execute(sa.select(mailing)).mappings().all()
    op.drop_column("review", "minutes")
    op.drop_index("ix_invitation_token_stop_hash", table_name="invitation_token")
    op.drop_column("invitation_token", "stop_hash")
    for table in ("refused_address", "snooze", "mailing"):
        op.drop_table(table)
    rows = _make_outbox_anew("'waiting', 'sent', 'dropped', 'failed'")
    op.bulk_insert(
        outbox,
        [
            row | {"state": "sent" if row["state"] == "settled" else row["state"]}
            for row in rows
            if row["kind"] != "digest"
        ]
        + [
            {
                "id": uuid.uuid4(),
                "kind": "invitation" if row["slot"] == "opening" else "reminder",
                "person_id": row["person_id"],
                "reference": row["cycle_id"],
                "slot": "" if row["slot"] == "opening" else row["slot"],
                "due_at": row["due_at"],
                "attempts": 0,
                "lease_until": None,
                "state": "waiting",
            }
            for row in planned
        ],
    )


def _make_outbox_anew(states: str) -> list[dict[str, Any]]:
    """An empty outbox whose rows have one of these states; the value is what was in the old one."""
    rows = [dict(row) for row in op.get_bind().execute(sa.select(outbox)).mappings()]
    op.drop_index("ix_outbox_state_due_at", table_name="outbox")
    op.drop_table("outbox")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint(f"state IN ({states})", name=op.f("ck_outbox_state_is_known")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_outbox_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "kind", "person_id", "reference", "slot", name=op.f("uq_outbox_kind_person_id_reference_slot")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outbox_state_due_at", "outbox", ["state", "due_at"])
    return rows


def _count_minutes() -> None:
    """How long the questionnaires of rounds that were launched before take: 12 seconds a rating, 45 a text."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(review).where(review.c.questionnaire.is_not(None))).all():
        seconds: dict[str, int] = {}
        for part in row.questionnaire["parts"]:
            for item in part["items"]:
                for relationship in item["asked"]:
                    seconds[relationship] = seconds.get(relationship, 0) + (12 if item["scale"] else 45)
        minutes = {relationship: max(1, -(-total // 60)) for relationship, total in seconds.items()}
        connection.execute(review.update().where(review.c.id == row.id).values(minutes=minutes))
