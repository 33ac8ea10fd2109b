"""The estimator's longest loops, compiled."""
