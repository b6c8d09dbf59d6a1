"""What it takes to approve, what a request is compared by, and broken glass."""

import sqlalchemy as sa
from alembic import op

revision = "0007_approval_terms"
down_revision = "0006_detection"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("requester_groups", sa.JSON, "[]"),
    ("requester_relations", sa.JSON, "[]"),
    ("purpose", sa.Text, ""),
    ("terms", sa.JSON, "{}"),
    ("risk", sa.Double, "0"),
    ("digests", sa.JSON, "{}"),
)


def upgrade() -> None:
    for name, kind, default in _COLUMNS:
        op.add_column("approvals", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("approvals", sa.Column("rows", sa.BigInteger))
    op.add_column("approvals", sa.Column("job", sa.Text))
    op.create_table(
        "broken_glass",
        sa.Column("approval_id", sa.String(36), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("review_until", sa.Double, nullable=False),
        sa.Column("reviewed_at", sa.Double),
        sa.Column("reviewed_by", sa.Text),
        sa.Column("accepted", sa.Boolean),
        sa.Column("note", sa.Text),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name="fk_broken_glass_approval_id"),
        sa.PrimaryKeyConstraint("approval_id", name="pk_broken_glass"),
    )


def downgrade() -> None:
    op.drop_table("broken_glass")
    for name in ("requester_groups", "requester_relations", "purpose", "terms", "risk", "digests", "rows", "job"):
        op.drop_column("approvals", name)
