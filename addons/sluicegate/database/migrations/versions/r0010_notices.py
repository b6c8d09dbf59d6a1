"""What people are told outside the console: an outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0010_notices"
down_revision = "0009_taints"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("about", sa.String(16), nullable=False),
        sa.Column("approval_id", sa.String(36), nullable=False),
        sa.Column("code", sa.String(9), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("places", sa.JSON, nullable=False, server_default="{}"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notices_next_at", "notices", ["next_at"])


def downgrade() -> None:
    op.drop_table("notices")
