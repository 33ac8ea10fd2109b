"""A typed, asynchronous client of this server, for bots, tests and Python programs. README.md shows how to use it."""

from sfu.wire.message import MessageError, MessagesLost
from signaling.client.channel import RoomClosed
from signaling.client.endpoint import Endpoint, Impairment, RandomLoss, RemoteEndpoint
from signaling.client.messaging import Incoming, ReceivedMessage
from signaling.client.publishing import Publication, SourceToPublish
from signaling.client.receiving import ReceivedPacket, ReceivedStream
from signaling.client.rest import DevelopmentToken, development_token
from signaling.client.room import Room, connect
from signaling.client.sending import SentStream
from signaling.client.subscribing import Reception
from signaling.client.tapping import AudioFrame, Tap, VideoFrame

__all__ = [
    "AudioFrame",
    "DevelopmentToken",
    "Endpoint",
    "Impairment",
    "Incoming",
    "MessageError",
    "MessagesLost",
    "Publication",
    "RandomLoss",
    "ReceivedMessage",
    "ReceivedPacket",
    "ReceivedStream",
    "Reception",
    "RemoteEndpoint",
    "Room",
    "RoomClosed",
    "SentStream",
    "SourceToPublish",
    "Tap",
    "VideoFrame",
    "connect",
    "development_token",
]
