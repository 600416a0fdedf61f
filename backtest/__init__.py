"""Offline: a simulated marketplace, and history replayed."""
