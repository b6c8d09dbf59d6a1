"""What people received of protected datasets, as keyed fingerprints."""

import sqlalchemy as sa
from alembic import op

revision = "0009_taints"
down_revision = "0008_session_facts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taints",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("exchange", sa.String(36), nullable=False),
        sa.Column("cells", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_taints"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_taints_person", "taints", ["person"])
    op.create_index("ix_taints_at", "taints", ["at"])


def downgrade() -> None:
    op.drop_table("taints")
