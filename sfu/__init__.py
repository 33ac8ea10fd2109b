"""The media worker: terminates WebRTC transports and forwards RTP selectively."""

__version__ = "0.1.0"
