"""Sessions remember when the person proved to the provider who they are, and what ties them to others."""

import sqlalchemy as sa
from alembic import op

revision = "0008_session_facts"
down_revision = "0007_approval_terms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("authenticated", sa.Double))
    op.add_column("sessions", sa.Column("relations", sa.JSON))


def downgrade() -> None:
    op.drop_column("sessions", "relations")
    op.drop_column("sessions", "authenticated")
