"""Devices that fail, go and come: what the page does, and what it says."""

from __future__ import annotations

import pytest

from tests.support.page import FAILING, OpenLobby, enter, says, shows
from tests.support.remembered import announces
from tests.support.server import RunningServer

pytestmark = pytest.mark.chromium

# Adds devices to those of the browser.
PLUGGED = """
(() => {
  window.plugged = [];
  const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
  navigator.mediaDevices.enumerateDevices = async () => [...(await list()), ...window.plugged];
  window.plug = (...devices) => {
    window.plugged = devices;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  };
})();
"""


FAILURES = [
    # which device, name and message of the browser's error, our words
    ("both", "NotAllowedError", "Permission denied", "Allow it beside the page's address"),
    ("both", "NotAllowedError", "Permission denied by system", "privacy settings"),
    ("both", "NotAllowedError", "Permission dismissed", "went unanswered"),
    ("video", "NotFoundError", "Requested device not found", "No camera was found"),
    ("video", "NotReadableError", "Could not start video source", "Another program may be using it"),
]


async def test_a_device_that_fails_has_words_and_can_be_tried_again(server: RunningServer, lobby: OpenLobby) -> None:
    for of, name, message, words in FAILURES:
        failure = f'{{of: "{of}", name: "{name}", message: "{message}"}}'
        page = await lobby(f"{server.url}/r/fail", "Ada", prepare=FAILING % failure)
        await says(page, "#lobby-trouble", words)
        await says(page, ".preview-words", "No picture from your camera")
        assert await page.is_visible("#meter-row") is (of == "video"), "what can be opened is"
        await page.evaluate("window.devicesFail = null")
        await page.click("#preview-retry")
        await page.wait_for_selector(".preview-words p", state="hidden")
        assert await page.inner_text("#lobby-trouble") == ""
        assert await page.is_visible("#meter-row")
        await page.context.close()


async def test_a_page_that_may_not_ask_says_so_and_one_can_join_without(
    server: RunningServer, lobby: OpenLobby
) -> None:
    prepare = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
    page = await lobby(f"{server.url}/r/insecure", "Ada", prepare=prepare)
    await says(page, "#lobby-trouble", "open this one over https")
    assert not await page.is_visible("#preview-retry")
    await page.click("#lobby-join")
    await shows(page, "ada", microphone="off", video="off")


async def test_a_browser_without_webrtc_and_one_without_network_say_so(server: RunningServer, lobby: OpenLobby) -> None:
    page = await lobby(f"{server.url}/r/none", prepare="delete window.RTCPeerConnection")
    await says(page, "#lobby-trouble", "cannot make calls")
    page = await lobby(f"{server.url}/r/none", "Ada")
    await page.context.set_offline(True)
    await page.click("#lobby-join")
    await says(page, "#lobby-trouble", "offline")
    await page.context.set_offline(False)
    await page.click("#lobby-join")
    await says(page, "#connection", "Connected")
    await page.context.set_offline(True)
    await says(page, "#connection", "Offline")
    await says(page, "#connection-trouble", "goes on once the network is back")


async def test_an_unplugged_microphone_is_replaced_and_a_camera_is_offered(
    server: RunningServer, lobby: OpenLobby
) -> None:
    address = f"{server.url}/r/unplug"
    ada = await enter(lobby, address, "Ada", prepare=FAILING % "null")
    bob = await enter(lobby, address, "Bob")
    await shows(bob, "ada", video="on", microphone="on")
    unplug = "(source) => sfuRoom.you.track(source).mediaTrack.dispatchEvent(new Event('ended'))"

    first = await ada.evaluate("sfuRoom.you.track('microphone').mediaTrack.id")
    await ada.evaluate(unplug, "microphone")
    await announces(ada, "Your microphone was disconnected. You now use")
    await shows(bob, "ada", microphone="on", speaking="true")
    assert await ada.evaluate("sfuRoom.you.track('microphone').mediaTrack.id") != first

    await ada.evaluate(unplug, "camera")
    await says(ada, "#notice", "your picture is off")
    await shows(bob, "ada", video="off")
    await ada.click("#notice-accept")
    await shows(bob, "ada", video="on")

    await ada.evaluate("window.devicesFail = {of: 'audio', name: 'NotFoundError', message: ''}")
    await ada.evaluate(unplug, "microphone")
    await says(ada, "#call-trouble", "nobody hears you")
    await shows(bob, "ada", microphone="off")


async def test_a_headset_that_is_plugged_in_is_offered_once(server: RunningServer, lobby: OpenLobby) -> None:
    page = await enter(lobby, f"{server.url}/r/headset", "Ada", prepare=PLUGGED)
    await shows(page, "ada", microphone="on")
    await page.evaluate(
        """async () => {
          const real = await navigator.mediaDevices.enumerateDevices();
          const id = (kind) => real.findLast((device) => device.kind === kind).deviceId + '-headset';
          window.plug(
            {kind: 'audioinput', deviceId: id('audioinput'), groupId: 'headset', label: 'Headset'},
            {kind: 'audiooutput', deviceId: id('audiooutput'), groupId: 'headset', label: 'Headset'});
        }"""
    )
    await says(page, "#notice", "“Headset” was plugged in. Use it as microphone and speaker?")
    await page.evaluate("window.plug()")  # and out again
    await page.wait_for_selector("#notice", state="hidden")
