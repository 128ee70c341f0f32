"""The first tables."""

import sqlalchemy as sa
from alembic import op

from survey.store.base import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "competency",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competency")),
        sa.UniqueConstraint("name", name=op.f("uq_competency_name")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("manager_id", sa.Uuid(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "role IN ('people_operations', 'manager', 'engineer')", name=op.f("ck_person_role_is_known")
        ),
        sa.CheckConstraint("address = lower(address)", name=op.f("ck_person_address_is_lower_case")),
        sa.ForeignKeyConstraint(["manager_id"], ["person.id"], name=op.f("fk_person_manager_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("address", name=op.f("uq_person_address")),
    )
    op.create_index("ix_person_manager_id", "person", ["manager_id"], unique=False)
    op.create_table(
        "competency_page",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("competency_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["competency_id"], ["competency.id"], name=op.f("fk_competency_page_competency_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competency_page")),
        sa.UniqueConstraint(
            "competency_id", "level", "version", name=op.f("uq_competency_page_competency_id_level_version")
        ),
    )
    op.create_table(
        "cycle",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("launcher_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("blocks", sa.JSON(), nullable=False),
        sa.Column("opens_at", UtcDateTime(), nullable=True),
        sa.Column("closes_at", UtcDateTime(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("is_key_destroyed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "phase IN ('draft', 'nominating') OR public_key IS NOT NULL",
            name=op.f("ck_cycle_open_means_sealed"),
        ),
        sa.CheckConstraint(
            "phase IN ('draft', 'nominating', 'open', 'closed', 'tallied', 'released', 'archived')",
            name=op.f("ck_cycle_phase_is_known"),
        ),
        sa.CheckConstraint(
            "phase NOT IN ('released', 'archived') OR is_key_destroyed",
            name=op.f("ck_cycle_released_means_unlinkable"),
        ),
        sa.CheckConstraint("minimum BETWEEN 3 AND 10", name=op.f("ck_cycle_minimum_protects")),
        sa.ForeignKeyConstraint(["launcher_id"], ["person.id"], name=op.f("fk_cycle_launcher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycle")),
    )
    op.create_index("ix_cycle_phase_closes_at", "cycle", ["phase", "closes_at"], unique=False)
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
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dropped', 'failed')", name=op.f("ck_outbox_state_is_known")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_outbox_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "kind", "person_id", "reference", "slot", name=op.f("uq_outbox_kind_person_id_reference_slot")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outbox_state_due_at", "outbox", ["state", "due_at"], unique=False)
    op.create_table(
        "sign_in",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_sign_in_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sign_in")),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_sign_in_link_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sign_in_link")),
    )
    op.create_table(
        "draft",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_draft_cycle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_draft_cycle_id", "draft", ["cycle_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("questionnaire", sa.JSON(), nullable=True),
        sa.Column("invited", sa.JSON(), nullable=True),
        sa.Column("is_tallied", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name=op.f("fk_review_cycle_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subject_id"], ["person.id"], name=op.f("fk_review_subject_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("cycle_id", "subject_id", name=op.f("uq_review_cycle_id_subject_id")),
    )
    op.create_index(op.f("ix_review_cycle_id"), "review", ["cycle_id"], unique=False)
    op.create_index(op.f("ix_review_subject_id"), "review", ["subject_id"], unique=False)
    op.create_table(
        "cell",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("squares", sa.Integer(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("band", sa.String(), nullable=True),
        sa.CheckConstraint(
            "\"group\" IN ('self', 'manager') OR counts IS NULL OR n >= 6",
            name=op.f("ck_cell_distribution_from_six"),
        ),
        sa.CheckConstraint("\"group\" IN ('self', 'manager') OR n >= 3", name=op.f("ck_cell_minimum_holds")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_cell_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", "item", "group", name=op.f("pk_cell")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_comment_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_comment_review_id", "comment", ["review_id"], unique=False)
    op.create_table(
        "envelope",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_envelope_review_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_envelope_review_id", "envelope", ["review_id"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("rater_id", sa.Uuid(), nullable=False),
        sa.Column("relationship", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint(
            "relationship IN ('self', 'manager', 'peer', 'direct_report', 'other')",
            name=op.f("ck_invitation_relationship_is_known"),
        ),
        sa.CheckConstraint("state IN ('open', 'done', 'declined', 'void')", name=op.f("ck_invitation_state_is_known")),
        sa.ForeignKeyConstraint(["rater_id"], ["person.id"], name=op.f("fk_invitation_rater_id")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_invitation_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("review_id", "rater_id", name=op.f("uq_invitation_review_id_rater_id")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_invitation_rater_id_state", "invitation", ["rater_id", "state"], unique=False)
    op.create_table(
        "nomination",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("rater_id", sa.Uuid(), nullable=False),
        sa.Column("relationship", sa.String(), nullable=False),
        sa.CheckConstraint(
            "relationship IN ('self', 'manager', 'peer', 'direct_report', 'other')",
            name=op.f("ck_nomination_relationship_is_known"),
        ),
        sa.ForeignKeyConstraint(["rater_id"], ["person.id"], name=op.f("fk_nomination_rater_id")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_nomination_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", "rater_id", name=op.f("pk_nomination")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_report_review_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_report")),
    )
    op.create_table(
        "review_page",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["competency_page.id"], name=op.f("fk_review_page_page_id")),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name=op.f("fk_review_page_review_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("review_id", "position", name=op.f("pk_review_page")),
    )
    op.create_table(
        "invitation_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["invitation.id"],
            name=op.f("fk_invitation_token_invitation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", "invitation_id", name=op.f("pk_invitation_token")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_invitation_token_invitation_id", "invitation_token", ["invitation_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_invitation_token_invitation_id", table_name="invitation_token")
    op.drop_table("invitation_token")
    op.drop_table("review_page")
    op.drop_table("report")
    op.drop_table("nomination")
    op.drop_index("ix_invitation_rater_id_state", table_name="invitation")
    op.drop_table("invitation")
    op.drop_index("ix_envelope_review_id", table_name="envelope")
    op.drop_table("envelope")
    op.drop_index("ix_comment_review_id", table_name="comment")
    op.drop_table("comment")
    op.drop_table("cell")
    op.drop_index(op.f("ix_review_subject_id"), table_name="review")
    op.drop_index(op.f("ix_review_cycle_id"), table_name="review")
    op.drop_table("review")
    op.drop_index("ix_draft_cycle_id", table_name="draft")
    op.drop_table("draft")
    op.drop_table("sign_in_link")
    op.drop_table("sign_in")
    op.drop_index("ix_outbox_state_due_at", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_cycle_phase_closes_at", table_name="cycle")
    op.drop_table("cycle")
    op.drop_table("competency_page")
    op.drop_index("ix_person_manager_id", table_name="person")
    op.drop_table("person")
    op.drop_table("competency")
