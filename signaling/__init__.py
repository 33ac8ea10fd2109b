"""The public face: WebSocket sessions, negotiation, rooms, tokens, pages and the `sfu` command."""
