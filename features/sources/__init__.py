"""Importers of real data sets into the event log."""
