"""Transports: ICE-lite, DTLS and SCTP with one remote each, over a Plane. README.md is the way in."""
