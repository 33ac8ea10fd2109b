"""WHIP (RFC 9725) and WHEP: publishing and watching by one exchange over HTTP. README.md says how."""
