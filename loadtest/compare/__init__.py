"""The same traffic against other servers: see README.md."""
