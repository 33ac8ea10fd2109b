"""From RTP packets to encoded frames at session times: order, payload formats, clocks, layers. Pure."""
