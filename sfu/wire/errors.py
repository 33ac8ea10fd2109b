"""What a parser raises when bytes do not mean what they should. Nothing else may leave a parser."""


class MalformedRtp(ValueError):
    """An RTP packet, a header extension block or an RTX payload that contradicts itself or is cut short."""


class MalformedRtcp(ValueError):
    """One RTCP block that is cut short or contradicts itself; `rtcp.parse` counts it and goes on."""


class MalformedMessage(ValueError):
    """A message between participants that is not a header and a payload."""


class MalformedTapFrame(ValueError):
    """A frame of a local sink that is cut short, or of a version that is not ours."""
