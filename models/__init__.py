"""The score of a buyer: trees, calibration, points, reasons; MLflow only at its edge (`registry`)."""
