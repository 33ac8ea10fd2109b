"""The load test: bots with real signaling, media at full rate, and what it costs the server. Read README.md first."""
