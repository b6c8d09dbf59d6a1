"""What people took, for budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0002_usage"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("chunks", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("unnamed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run", "person", "dataset", "slot", name="pk_usage"),
    )
    op.create_index("ix_usage_slot", "usage", ["slot"])


def downgrade() -> None:
    op.drop_table("usage")
