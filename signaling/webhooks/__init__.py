"""Webhooks: what happens in rooms, told to backends by signed HTTP requests, at least once, in order per room."""
