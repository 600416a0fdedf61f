"""What sweeps have done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the table; each sweep adds a row."""
    op.create_table(
        "sweeps",
        sa.Column("sweep_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changes", sa.JSON(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("sweep_id"),
    )


def downgrade() -> None:
    """Go back; what sweeps did stays in the transitions."""
    op.drop_table("sweeps")
