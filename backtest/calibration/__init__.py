"""How close the simulated marketplace is to what was measured on real data: facts, figures, a page."""
