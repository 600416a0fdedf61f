"""The one path from what is known to a decision record, for the service and for replays alike."""
