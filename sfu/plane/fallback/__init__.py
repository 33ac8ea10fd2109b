"""The readable twin of the plane: plain Python, the specification of what the compiled one must do."""
