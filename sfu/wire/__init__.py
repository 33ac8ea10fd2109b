"""Bytes ↔ values. Pure functions and small values; standard library only; README.md says who needs what."""
