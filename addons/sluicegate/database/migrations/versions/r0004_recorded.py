"""What the record says of an exchange besides its verdict: how surely who asked, what for, risk, findings, parts."""

import sqlalchemy as sa
from alembic import op

revision = "0004_recorded"
down_revision = "0003_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exchanges", sa.Column("assurance", sa.String(16)))
    op.add_column("exchanges", sa.Column("job", sa.Text))
    op.add_column("exchanges", sa.Column("risk", sa.Double))
    op.add_column("exchanges", sa.Column("findings", sa.JSON))
    op.add_column("exchanges", sa.Column("parts", sa.JSON))


def downgrade() -> None:
    for name in ("parts", "findings", "risk", "job", "assurance"):
        op.drop_column("exchanges", name)
