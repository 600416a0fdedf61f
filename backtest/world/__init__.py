"""Policies that each live in a simulated market of their own: it asks, they answer, abusers react."""
