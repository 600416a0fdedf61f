"""In which order events and decisions arrived, which catalogs were used, what skew checks found."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)
ARRIVALS: Final = ("events", "decisions")


def upgrade() -> None:
    """Add the columns without touching a row: what is stored already arrived before anything to come."""
    for table in ARRIVALS:
        op.add_column(table, sa.Column("arrival", sa.BigInteger()))
        op.execute(f"ALTER TABLE {table} ALTER arrival SET DEFAULT (pg_current_xact_id()::text)::bigint")
        op.create_index(f"{table}_in_arrival", table, ["arrival"], postgresql_using="brin")
    op.add_column("decisions", sa.Column("seen", TEXT))
    op.execute("ALTER TABLE decisions ALTER seen SET DEFAULT pg_current_snapshot()::text")
    op.create_table(
        "catalogs",
        sa.Column("catalog_version", TEXT, nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("catalog_version"),
    )
    op.create_table(
        "skew_checks",
        sa.Column("check_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("checked_at", TIME, nullable=False, server_default=sa.text("now()")),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("check_id"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("skew_checks")
    op.drop_table("catalogs")
    op.drop_column("decisions", "seen")
    for table in ARRIVALS:
        op.drop_column(table, "arrival")
