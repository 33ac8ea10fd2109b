"""GStreamer's webrtcbin as a WHIP publisher or a WHEP player. Run by the system's Python, which has its bindings:

    /usr/bin/python3 gstreamer_peer.py publish|watch URL     the token on standard input

Says on standard output, line by line as JSON, what it did and what it decoded; ends the session and itself when
standard input is closed. A publisher shows a test picture in VP8 and plays a tone in Opus.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402

PUBLISH = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! vp8enc deadline=1 keyframe-max-dist=1000
  ! rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer.
audiotestsrc is-live=true freq=660 ! audioconvert ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""
# A description of one element alone would not make a pipeline.
WATCH = "webrtcbin name=peer bundle-policy=max-bundle fakesrc num-buffers=0 ! fakesink"
RECEIVED = (
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=101,clock-rate=48000,encoding-params=(string)2",
    "application/x-rtp,media=video,encoding-name=VP8,payload=98,clock-rate=90000",
)

RETRY_MS = 200
SHOW = {
    "audio": "decodebin ! audioconvert ! level interval=100000000 ! fakesink name=end",
    "video": "decodebin ! videoconvert ! fakesink name=end",
}


def say(**values: Any) -> None:
    # In one piece: GStreamer's threads speak, too.
    os.write(1, f"{json.dumps(values)}\n".encode())


class Peer:
    def __init__(self, role: str, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._address = ""
        self._offered = False
        self._pipeline = Gst.parse_launch(PUBLISH if role == "publish" else WATCH)
        self._peer = self._pipeline.get_by_name("peer")
        self._frames = 0
        self._loud = 0
        self._peer.connect("notify::connection-state", self._on_state)
        self._peer.connect("pad-added", self._on_pad)
        self.loop = GLib.MainLoop()
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self._on_message)
        # Set before anything can be offered, and the signal not connected before either.
        if role == "watch":
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            for caps in RECEIVED:
                self._peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
        self._peer.connect("on-negotiation-needed", self._on_negotiation_needed)

    def run(self) -> None:
        self._pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self._address:
            try:
                status = self._request("DELETE", self._address).status
            except urllib.error.HTTPError as error:
                status = error.code
            say(deleted=status)
        self._pipeline.set_state(Gst.State.NULL)

    def _on_negotiation_needed(self, peer: Any) -> None:
        if not self._offered:  # an exchange over HTTP is one
            self._offered = True
            self._promise = Gst.Promise.new_with_change_func(self._on_offer)
            peer.emit("create-offer", None, self._promise)

    def _on_offer(self, promise: Any) -> None:
        # The reply has to live as long as what is taken out of it.
        self._reply = promise.get_reply()
        offer = self._reply.get_value("offer")
        self._peer.emit("set-local-description", offer, None)
        GLib.idle_add(self._exchange, offer.sdp.as_text())

    def _exchange(self, offer: str) -> bool:
        try:
            response = self._request("POST", self._url, offer)
        except urllib.error.HTTPError as error:
            say(error=error.read().decode())
            self.loop.quit()
            return False
        except urllib.error.URLError:  # the server is about to start
            GLib.timeout_add(RETRY_MS, self._exchange, offer)
            return False
        self._address = urllib.parse.urljoin(self._url, response.headers["Location"])
        say(created=self._address)
        _, sdp = GstSdp.SDPMessage.new_from_text(response.read().decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self._peer.emit("set-remote-description", answer, None)
        return False

    def _request(self, method: str, url: str, body: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/sdp"}
        text = None if body is None else body.encode()
        return urllib.request.urlopen(urllib.request.Request(url, text, headers, method=method), timeout=60)

    def _on_state(self, peer: Any, _: Any) -> None:
        say(state=peer.get_property("connection-state").value_nick)

    def _on_message(self, _: Any, message: Any) -> None:
        if message.type == Gst.MessageType.ERROR:
            say(error=str(message.parse_error()))
            self.loop.quit()
        elif message.type == Gst.MessageType.ELEMENT and message.get_structure().get_name() == "level":
            # Of -3 dB at full scale, the tone has some -5.
            self._loud += max(message.get_structure().get_value("rms")) > -20
            say(loud=self._loud)

    def _on_pad(self, _: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        shown = Gst.parse_bin_from_description(SHOW[kind], False)
        entry = next(one for one in shown.children if one.get_name().startswith("decodebin")).get_static_pad("sink")
        shown.add_pad(Gst.GhostPad.new("sink", entry))
        if kind == "video":
            end = shown.get_by_name("end").get_static_pad("sink")
            end.add_probe(Gst.PadProbeType.BUFFER, self._on_frame)
        self._pipeline.add(shown)
        shown.sync_state_with_parent()
        pad.link(shown.get_static_pad("sink"))

    def _on_frame(self, pad: Any, _: Any) -> Any:
        self._frames += 1
        structure = pad.get_current_caps().get_structure(0)
        say(frames=self._frames, width=structure.get_int("width")[1])
        return Gst.PadProbeReturn.OK


def main() -> None:
    Gst.init(None)
    role, url = sys.argv[1:]
    peer = Peer(role, url, sys.stdin.readline().strip())

    def wait() -> None:
        sys.stdin.read()
        GLib.idle_add(peer.loop.quit)

    threading.Thread(target=wait, daemon=True).start()
    peer.run()


if __name__ == "__main__":
    main()
