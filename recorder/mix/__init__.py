"""One file of all: a layout is data, scenes are decisions, and the rest decodes, pastes, adds up and encodes."""
