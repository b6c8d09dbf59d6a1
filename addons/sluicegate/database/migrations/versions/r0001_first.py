"""The first tables: approvals, decisions, and the index of recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("code", sa.String(9), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("requester_subject", sa.Text, nullable=False),
        sa.Column("requester_issuer", sa.Text, nullable=False),
        sa.Column("requester_name", sa.Text, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("approvers", sa.JSON, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("column_scope", sa.String(16), nullable=False),
        sa.Column("chunks", sa.JSON, nullable=False),
        sa.Column("destination", sa.Text),
        sa.Column("statement", sa.Text),
        sa.Column("exchanges", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("pending_until", sa.Double, nullable=False),
        sa.Column("decided_at", sa.Double),
        sa.Column("decided_by", sa.Text),
        sa.Column("decision_reason", sa.Text),
        sa.Column("grant_until", sa.Double),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sa.UniqueConstraint("code", name="uq_approvals_code"),
    )
    op.create_index("ix_approvals_fingerprint", "approvals", ["fingerprint"])
    op.create_index("ix_approvals_state_created", "approvals", ["state", "created"])
    op.create_index(
        "uq_approvals_pending_fingerprint",
        "approvals",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("approval_id", sa.String(36), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("approve", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name="fk_decisions_approval_id"),
        sa.UniqueConstraint("approval_id", "subject", name="uq_decisions_approval_id_subject"),
    )
    op.create_table(
        "exchanges",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("finished", sa.Double),
        sa.Column("subject", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("service", sa.Text),
        sa.Column("dataset", sa.Text),
        sa.Column("kind", sa.String(16)),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("effect", sa.String(8)),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("approval_id", sa.String(36)),
        sa.Column("exposure", sa.JSON),
        sa.Column("refusal", sa.String(64)),
        sa.Column("flow_file", sa.Text),
        sa.Column("flow_offset", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_exchanges"),
    )
    op.create_index("ix_exchanges_started", "exchanges", ["started"])
    op.create_index("ix_exchanges_subject", "exchanges", ["subject"])
    op.create_index("ix_exchanges_session", "exchanges", ["session"])


def downgrade() -> None:
    op.drop_table("exchanges")
    op.drop_table("decisions")
    op.drop_table("approvals")
