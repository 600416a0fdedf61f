"""Losses are found by when they became known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "events_of_losses",
        "events",
        ["recorded_at"],
        postgresql_where=sa.text("kind = 'refund_found_shipped'"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("events_of_losses", "events")
