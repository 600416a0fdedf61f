"""What was known of a buyer at an instant: the event log, one catalog of features, one kernel."""
