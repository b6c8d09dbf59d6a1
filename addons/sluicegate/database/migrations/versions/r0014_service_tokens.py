"""Tokens for services on people's behalf (RFC 8693) are fetched at sign-in and shared by all gateways, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0014_service_tokens"
down_revision = "0013_subject_token"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_tokens",
        sa.Column("session", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("target", sa.LargeBinary(32), nullable=False),
        sa.Column("wanted", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("refused", sa.String(64)),
        sa.Column("begun", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("session", "target"),
    )
    op.create_index("ix_service_tokens_revision", "service_tokens", ["revision"])


def downgrade() -> None:
    op.drop_table("service_tokens")
