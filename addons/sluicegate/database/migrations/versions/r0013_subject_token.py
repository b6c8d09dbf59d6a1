"""Sessions keep a token of the provider that can be exchanged for one that a service takes (RFC 8693), sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0013_subject_token"
down_revision = "0012_rules_on_trial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("subject_token", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("sessions", "subject_token")
