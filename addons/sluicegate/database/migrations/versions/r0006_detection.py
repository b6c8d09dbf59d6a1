"""What detection knows and has found."""

import sqlalchemy as sa
from alembic import op

revision = "0006_detection"
down_revision = "0005_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "findings",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("indicator", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("risk", sa.Double, nullable=False),
        sa.Column("line", sa.Double, nullable=False),
        sa.Column("certain", sa.Boolean, nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("exchange", sa.String(36), nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
    )
    op.create_index("ix_findings_at", "findings", ["at"])
    op.create_index("ix_findings_person", "findings", ["person"])
    op.create_table(
        "findings_out",
        sa.Column("number", number, nullable=False),
        sa.Column("sink", sa.String(16), nullable=False),
        sa.Column("finding", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_findings_out"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_findings_out_sink", "findings_out", ["sink"])
    op.create_table(
        "habits",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_habits"),
    )
    op.create_index("ix_habits_changed", "habits", ["changed"])


def downgrade() -> None:
    op.drop_table("habits")
    op.drop_table("findings_out")
    op.drop_table("findings")
