"""Periodic training: labels that are mature, splits in time, a model, its evidence, one MLflow run."""
