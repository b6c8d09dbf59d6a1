"""Which rules on trial an exchange matched, so that the console can count them."""

import sqlalchemy as sa
from alembic import op

revision = "0012_rules_on_trial"
down_revision = "0011_orders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exchanges", sa.Column("reported", sa.JSON))


def downgrade() -> None:
    op.drop_column("exchanges", "reported")
