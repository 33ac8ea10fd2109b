"""Recordings that line up: what a sink of the plane delivers is journalled, and files on one clock are made of it."""
