"""Find an order's events whoever the buyer is."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index the events of orders."""
    op.create_index("events_of_order", "events", ["order_id"])
