"""Buyers' standings, and every change of one."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)
SIGNALS: Final = "kind IN ('abuse_confirmed', 'abuse_cleared', 'dispute_closed', 'refund_found_shipped')"


def upgrade() -> None:
    """Make the tables; refuse changes of what is written."""
    op.create_table(
        "standings",
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("until", TIME),
        sa.Column("record", postgresql.BYTEA(), nullable=False),
        sa.Column("seen", TEXT),
        sa.Column("seen_from", sa.BigInteger()),
        sa.PrimaryKeyConstraint("buyer_id"),
    )
    op.create_table(
        "standing_transitions",
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("appeal", TEXT),
        sa.Column("event", postgresql.BYTEA(), nullable=False),
        sa.Column("written_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("buyer_id", "version"),
    )
    op.create_index(
        "standing_transitions_of_appeal",
        "standing_transitions",
        ["appeal"],
        unique=True,
        postgresql_where=sa.text("appeal IS NOT NULL"),
    )
    op.create_index("events_of_signals", "events", ["buyer_id", "arrival"], postgresql_where=sa.text(SIGNALS))
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON standing_transitions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Go back; standings are lost."""
    op.drop_index("events_of_signals", "events")
    op.drop_table("standing_transitions")
    op.drop_table("standings")
