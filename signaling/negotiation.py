"""SDP negotiation, both ways round: the remote offers (`Answerer`), or we do (`Offerer`).

Each connection has one permanent offerer. A description is read into plain values for the Worker (RemoteParameters,
PayloadFormat, …) and written from them; SDP itself stops here. Pure: text and values in, text and values out.
"""

from signaling.negotiation_answer import Answerer, OfferedMedia, ReadOffer
from signaling.negotiation_offer import OFFERED_EXTENSIONS, OFFERED_PAYLOAD_TYPES, Offerer, ReadAnswer, SlotLine

__all__ = [
    "OFFERED_EXTENSIONS",
    "OFFERED_PAYLOAD_TYPES",
    "Answerer",
    "OfferedMedia",
    "Offerer",
    "ReadAnswer",
    "ReadOffer",
    "SlotLine",
]
