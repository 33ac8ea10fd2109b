"""The compiled plane: the twin's logic in C structures, with its own thread that never takes the GIL."""
