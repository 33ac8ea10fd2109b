"""WHIP and WHEP in a real browser, by pages of another origin that have nothing but `fetch`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page

from signaling.client import development_token
from tests.support.chromium import Statistics, eventually, new_page, statistics
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

ROOM = "stage"

# What RFC 9725 asks of a client, and nothing that only this server would understand.
EXCHANGE = """
(() => {
  const begin = async (url, token, connection) => {
    await connection.setLocalDescription();
    const response = await fetch(url, {method: 'POST', body: connection.localDescription.sdp, headers: {
      'Content-Type': 'application/sdp', Authorization: `Bearer ${token}`}});
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
    await connection.setRemoteDescription({type: 'answer', sdp: await response.text()});
    window.session = {connection, token, address: new URL(response.headers.get('Location'), url).href,
      tag: response.headers.get('ETag'), patch: response.headers.get('Accept-Patch')};
    return window.session.address;
  };
  window.publish = async (url, token, layers) => {
    const connection = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
    const encodings = ['q', 'h', 'f'].slice(-layers).map((rid, index, all) =>
      ({rid, scaleResolutionDownBy: 2 ** (all.length - 1 - index),
        maxBitrate: 60_000 * 3 ** (index + 3 - all.length)}));
    connection.addTransceiver(stream.getAudioTracks()[0], {direction: 'sendonly', streams: [stream]});
    connection.addTransceiver(stream.getVideoTracks()[0], {direction: 'sendonly', streams: [stream],
      ...(layers > 1 && {sendEncodings: encodings})});
    return begin(url, token, connection);
  };
  window.watch = async (url, token) => {
    const connection = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    connection.addTransceiver('audio', {direction: 'recvonly'});
    connection.addTransceiver('video', {direction: 'recvonly'});
    const element = Object.assign(document.createElement('video'), {autoplay: true});
    document.body.append(element);
    connection.ontrack = ({streams: [stream]}) => {
      if (element.srcObject && element.srcObject !== stream) throw new Error('two streams');
      element.srcObject = stream;
    };
    return begin(url, token, connection);
  };
  const patch = (match, body) => fetch(session.address, {method: 'PATCH', body, headers: {
    'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': match, Authorization: `Bearer ${session.token}`}});
  const fragment = (sdp) => sdp.split('\\r\\n').filter((line) =>
    /^a=(ice-ufrag|ice-pwd|ice-options|group|candidate|mid:0)|^m=audio/.test(line)).join('\\r\\n') + '\\r\\n';
  window.trickle = async () => (await patch(session.tag, fragment(session.connection.localDescription.sdp))).status;
  window.restart = async () => {
    const {connection} = session;
    const answer = connection.remoteDescription.sdp;
    connection.restartIce();
    await connection.setLocalDescription();
    const response = await patch('*', fragment(connection.localDescription.sdp));
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    session.tag = response.headers.get('ETag');
    const text = await response.text();
    const [ufrag] = text.match(/a=ice-ufrag:.*/), [pwd] = text.match(/a=ice-pwd:.*/);
    const sdp = answer.replace(/a=ice-ufrag:.*/g, ufrag).replace(/a=ice-pwd:.*/g, pwd);
    await connection.setRemoteDescription({type: 'answer', sdp});
    return [connection.localDescription.sdp.match(/a=ice-ufrag:(.*)/)[1].trim(), ufrag.slice(12).trim()];
  };
  window.pairInUse = async () => {
    const report = await session.connection.getStats();
    const transport = [...report.values()].find((row) => row.type === 'transport');
    const pair = report.get(transport.selectedCandidatePairId);
    return pair && [report.get(pair.localCandidateId).usernameFragment, pair.state,
      report.get(pair.remoteCandidateId).usernameFragment];
  };
  window.end = async () => {
    const response = await fetch(session.address, {method: 'DELETE',
      headers: {Authorization: `Bearer ${session.token}`}});
    return response.status;
  };
})();
"""


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere() -> AsyncIterator[str]:
    """A page of another origin."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class Peer:
    """One page with one session."""

    def __init__(self, page: Page, identity: str, token: str) -> None:
        self.page = page
        self.identity = identity
        self._token = token

    @classmethod
    async def open(cls, browser: Browser, elsewhere: str, server: RunningServer, name: str) -> Peer:
        token = await development_token(server.url, name, ROOM)
        page = await new_page(browser)
        await page.goto(elsewhere)
        await page.evaluate(EXCHANGE)
        return cls(page, token.identity, token.token)

    async def publish(self, server: RunningServer, layers: int) -> str:
        return await self._begin("publish", f"{server.url}/v1/whip/{ROOM}", layers)

    async def watch(self, server: RunningServer, participant: str) -> str:
        return await self._begin("watch", f"{server.url}/v1/whep/{ROOM}?participant={participant}")

    async def _begin(self, what: str, url: str, *more: Any) -> str:
        address: str = await self.page.evaluate(f"(more) => window.{what}(...more)", [url, self._token, *more])
        return address

    async def evaluate(self, what: str) -> Any:
        return await self.page.evaluate(what)

    async def seen(self) -> Statistics:
        return await statistics(self.page)

    async def sees_more(self, what: str, width: int | None = None) -> None:
        """Wait until a second's worth of pictures, and sound, have been received from now on."""
        before = _received(await self.seen())

        async def flows() -> bool:
            frames, energy, seen_width = _received(await self.seen())
            return frames >= before[0] + 15 and energy > before[1] and width in (None, seen_width)

        await eventually(flows, what)


def _received(seen: Statistics) -> tuple[int, float, int]:
    video, audio = seen.inbound("video"), seen.inbound("audio")
    return (
        sum(row["framesDecoded"] for row in video.values()),
        sum(row["totalAudioEnergy"] for row in audio.values()),
        max((row.get("frameWidth", 0) for row in video.values()), default=0),
    )


async def test_a_page_publishes_and_another_watches(server: RunningServer, browser: Browser, elsewhere: str) -> None:
    ada = await Peer.open(browser, elsewhere, server, "Ada")
    bob = await Peer.open(browser, elsewhere, server, "Bob")
    # Bob is early: there is nobody yet.
    watching = await bob.watch(server, ada.identity)
    publishing = await ada.publish(server, layers=3)
    assert publishing.startswith(f"{server.url}/v1/whip/{ROOM}/") and watching.startswith(
        f"{server.url}/v1/whep/{ROOM}/"
    )
    await bob.sees_more("Bob sees Ada as large as she is", width=640)

    for peer in (ada, bob):
        assert await peer.evaluate("trickle()") == 204
        local, remote = await peer.evaluate("restart()")

        async def restarted(peer: Peer = peer, local: str = local, remote: str = remote) -> bool:
            return bool(await peer.evaluate("pairInUse()") == [local, "succeeded", remote])

        await eventually(restarted, f"{peer.identity} uses the new ICE session")
        assert await peer.evaluate("trickle()") == 204
    await bob.sees_more("the media goes on after ICE restarts")

    assert await ada.evaluate("end()") == 200
    assert await ada.evaluate("end()") == 404
    await eventually(lambda: _closed(ada), "the server closes Ada's connection")
    await ada.publish(server, layers=1)
    await bob.sees_more("Bob sees Ada again, on the same m-lines")
    (video,) = (await bob.seen()).inbound("video").values()
    assert video["framesDecoded"] >= 0.8 * video["framesReceived"]
    assert await bob.evaluate("end()") == 200
    await eventually(lambda: _closed(bob), "the server closes Bob's connection")


async def _closed(peer: Peer) -> bool:
    state = await peer.evaluate("session.connection.getTransceivers()[0].receiver.transport.state")
    return bool(state == "closed")
