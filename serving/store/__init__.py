"""PostgreSQL: the only place that talks SQL."""
