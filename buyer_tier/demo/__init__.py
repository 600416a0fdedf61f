"""The demonstration: the whole job once, on a simulated marketplace."""
