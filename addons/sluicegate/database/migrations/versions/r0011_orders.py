"""What is to be held, released or shredded of the recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0011_orders"
down_revision = "0010_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording_orders",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("what", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_by", sa.JSON, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("agreed_by", sa.JSON),
        sa.Column("agreed_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_recording_orders"),
    )
    op.create_index("ix_recording_orders_state", "recording_orders", ["state"])
    op.create_table(
        "recording_orders_done",
        sa.Column("order_id", sa.String(36), nullable=False),
        sa.Column("log", sa.String(200), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("result", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["recording_orders.id"], name="fk_recording_orders_done_order_id"),
        sa.PrimaryKeyConstraint("order_id", "log", name="pk_recording_orders_done"),
    )


def downgrade() -> None:
    op.drop_table("recording_orders_done")
    op.drop_table("recording_orders")
