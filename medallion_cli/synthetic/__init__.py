"""The synthetic data generator and the source functions; shared by seed and the Lambda."""
