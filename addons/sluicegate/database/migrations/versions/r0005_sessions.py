"""Who is signed in: sessions, handles, and what was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0005_sessions"
down_revision = "0004_recorded"
branch_labels = None
depends_on = None


def upgrade() -> None:
    revision_table = op.create_table(
        "session_revision",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_session_revision"),
    )
    op.bulk_insert(revision_table, [{"id": 1, "value": 0}])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("provider_session", sa.String(255)),
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("used", sa.Double, nullable=False),
        sa.Column("confirmed", sa.Double, nullable=False),
        sa.Column("refresh_token", sa.LargeBinary),
        sa.Column("refresh_at", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("ended_by", sa.String(255)),
        sa.Column("ended_why", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_revision", "sessions", ["revision"])
    op.create_index("ix_sessions_refresh_at", "sessions", ["refresh_at"])
    op.create_table(
        "handles",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("session", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("superseded", sa.Double),
        sa.PrimaryKeyConstraint("digest", name="pk_handles"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_handles_session", ondelete="CASCADE"),
    )
    op.create_index("ix_handles_session", "handles", ["session"])
    op.create_index("ix_handles_revision", "handles", ["revision"])
    op.create_table(
        "revocations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(255)),
        sa.Column("provider_session", sa.String(255)),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "used_tokens",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_tokens"),
    )


def downgrade() -> None:
    for table in ("used_tokens", "revocations", "handles", "sessions", "session_revision"):
        op.drop_table(table)
