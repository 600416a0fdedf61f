"""Policies and when they were in force, both only added to."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT: Final = sa.Text(collation="C")
TIME: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; refuse changes of what is written; tell every service of an activation."""
    op.create_table(
        "policies",
        sa.Column("version", TEXT, nullable=False),
        sa.Column("content_id", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("proposed_by", TEXT, nullable=False),
        sa.Column("proposer", TEXT, nullable=False),
        sa.Column("proposed_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "policy_activations",
        sa.Column("activation_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("version", TEXT),
        sa.Column("starts_at", TIME),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("maker", TEXT, nullable=False),
        sa.Column("made_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("activation_id"),
        sa.ForeignKeyConstraint(["version"], ["policies.version"]),
        sa.CheckConstraint("action IN ('activate', 'rollback', 'stop', 'resume')", name="known_action"),
    )
    op.execute("""
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'rows of % are never changed nor deleted', TG_TABLE_NAME; END $$
""")
    for table in ("policies", "policy_activations"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("""
CREATE FUNCTION tell_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('buyer_tier_policy', ''); RETURN NULL; END $$
""")
    op.execute(
        "CREATE TRIGGER tell AFTER INSERT ON policy_activations "
        "FOR EACH STATEMENT EXECUTE FUNCTION tell_policy()"
    )


def downgrade() -> None:
    """Go back; policies and their history are lost."""
    op.drop_table("policy_activations")
    op.drop_table("policies")
    op.execute("DROP FUNCTION tell_policy")
    op.execute("DROP FUNCTION refuse_change")
