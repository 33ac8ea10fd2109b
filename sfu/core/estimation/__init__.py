"""What the path to each subscriber carries: ESTIMATION.md tells how it is found out."""
