"""Events, links, decisions and keys."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(TEXT), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("key_hash"),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", TEXT, nullable=False),
        sa.Column("after_sale_id", TEXT, nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("order_id", TEXT, nullable=False),
        sa.Column("shop_id", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("refund_amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("p_abuse", sa.Double(), nullable=False),
        sa.Column("tier", TEXT, nullable=False),
        sa.Column("standing", TEXT, nullable=False),
        sa.Column("model_version", TEXT, nullable=False),
        sa.Column("catalog_version", TEXT, nullable=False),
        sa.Column("policy_version", TEXT, nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("decision_id"),
        sa.UniqueConstraint("after_sale_id"),
    )
    op.create_index("decisions_by_outcome", "decisions", ["outcome", "decision_id"])
    op.create_index("decisions_of_buyer", "decisions", ["buyer_id", "decision_id"])
    op.create_index("decisions_of_order", "decisions", ["order_id"])
    op.create_index("decisions_of_shop", "decisions", ["shop_id", "decision_id"])
    op.create_table(
        "events",
        sa.Column("event_id", TEXT, nullable=False),
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("order_id", TEXT),
        sa.Column("after_sale_id", TEXT),
        sa.Column("shop_id", TEXT),
        sa.Column("category_id", TEXT),
        sa.Column("goods_type", TEXT),
        sa.Column("amount_fen", sa.BigInteger()),
        sa.Column("stage", TEXT),
        sa.Column("fault", TEXT),
        sa.Column("outcome", TEXT),
        sa.Column("actor", TEXT),
        sa.Column("reason", TEXT),
        sa.Column("link_type", TEXT),
        sa.Column("link_value", TEXT),
        sa.Column("line_count", sa.Integer()),
        sa.Column("imputed", TEXT),
        sa.Column("ingested_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index(
        "events_of_abuse",
        "events",
        ["buyer_id", "recorded_at"],
        postgresql_where=sa.text("kind IN ('abuse_confirmed', 'abuse_cleared')"),
    )
    op.create_index("events_of_buyer", "events", ["buyer_id", "recorded_at"])
    op.create_table(
        "links",
        sa.Column("link_type", TEXT, nullable=False),
        sa.Column("link_value", TEXT, nullable=False),
        sa.Column("buyer_id", TEXT, nullable=False),
        sa.Column("first_recorded_at", TIME, nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("link_type", "link_value", "buyer_id"),
    )
    op.create_index("links_in_order", "links", ["link_type", "link_value", "first_recorded_at", "buyer_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("api_keys", "decisions", "links", "events"):
        op.drop_table(table)
