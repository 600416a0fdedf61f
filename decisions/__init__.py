"""Hard rules, tiers, standing and the decision: pure functions over frozen values, no I/O, no clock."""
