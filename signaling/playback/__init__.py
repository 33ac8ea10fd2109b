"""Recordings in the browser: addresses that are good for a while, and the page behind them."""
