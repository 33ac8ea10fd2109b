"""How good a call is for each participant, from what both ends report. QUALITY.md tells it in prose."""
