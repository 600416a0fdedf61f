"""What is measured of shops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table; the next sweep fills it."""
    op.create_table(
        "shop_figures",
        sa.Column("shop_id", sa.Text(collation="C"), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.Double())
            for name in ("late_ship_rate", "tracking_lag_p90_hours", "dispute_rate")
        ),
        sa.PrimaryKeyConstraint("shop_id"),
    )


def downgrade() -> None:
    """Go back; it can be measured again."""
    op.drop_table("shop_figures")
