"""Each buyer's packed history, and what a group of decisions reads at once."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)
ABUSE: Final = "kind IN ('abuse_confirmed', 'abuse_cleared')"


def upgrade() -> None:
    """Make the table, let a buyer's events be found by arrival, keep decisions' bytes as they are."""
    op.create_table(
        "buyer_profiles",
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("packed", postgresql.BYTEA()),
        sa.Column("seen", TEXT),
        sa.Column("seen_from", sa.BigInteger()),
        sa.Column("link_types", sa.ARRAY(TEXT)),
        sa.Column("link_values", sa.ARRAY(TEXT)),
        sa.Column("peers", sa.ARRAY(TEXT)),
        sa.Column("packed_at", TIME, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("buyer_id"),
    )
    op.execute("ALTER TABLE buyer_profiles ALTER packed SET STORAGE EXTERNAL")
    op.create_table(
        "profiles_made_in",
        sa.Column("database", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("database"),
    )
    op.execute("ALTER TABLE decisions SET (toast_tuple_target = 8160)")
    op.add_column("links", sa.Column("arrival", sa.BigInteger()))
    op.execute("ALTER TABLE links ALTER arrival SET DEFAULT (pg_current_xact_id()::text)::bigint")
    op.create_index("links_in_arrival", "links", ["link_type", "link_value", "arrival"])
    op.drop_index("events_of_buyer", "events")
    op.create_index("events_of_buyer", "events", ["buyer_id", "arrival"])
    op.drop_index("events_of_abuse", "events")
    op.create_index("events_of_abuse", "events", ["buyer_id", "arrival"], postgresql_where=sa.text(ABUSE))


def downgrade() -> None:
    """Go back; no row is lost."""
    op.drop_index("events_of_abuse", "events")
    op.create_index("events_of_abuse", "events", ["buyer_id", "recorded_at"], postgresql_where=sa.text(ABUSE))
    op.drop_index("events_of_buyer", "events")
    op.create_index("events_of_buyer", "events", ["buyer_id", "recorded_at"])
    op.drop_index("links_in_arrival", "links")
    op.drop_column("links", "arrival")
    op.execute("ALTER TABLE decisions RESET (toast_tuple_target)")
    op.drop_table("profiles_made_in")
    op.drop_table("buyer_profiles")
