"""Many people for little: one page that has joined a room many times over, each time with a drawn face."""

from __future__ import annotations

from playwright.async_api import Browser, Page

from tests.support.call import open_page

# A face of its own colour, which blinks: a picture that stands still would not be told from one that froze. Every
# fourth holds the phone upright, and every fifth has no camera.
GATHER = """
async ({room, names, sharing}) => {
  const {join} = await import('/client/client.js');
  const draw = (canvas, hue, blinks) => {
    const {width, height} = canvas;
    const pen = canvas.getContext('2d');
    const disc = (x, y, radius, colour) => {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fill();
    };
    pen.fillStyle = `hsl(${hue} 25% 62%)`;
    pen.fillRect(0, 0, width, height);
    const size = Math.min(width, height);
    disc(width / 2, height, size * 0.42, `hsl(${hue} 45% 32%)`);
    disc(width / 2, height * 0.42, size * 0.24, 'hsl(28 45% 72%)');
    for (const side of [-1, 1]) disc(width / 2 + side * size * 0.09, height * 0.4, blinks ? 1 : size * 0.025, '#222');
  };
  const publish = async (call, index) => {
    const [width, height] = index % 4 === 3 ? [180, 320] : [320, 180];
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    let turn = 0;
    const next = () => draw(canvas, index * 77 % 360, ++turn % 10 === 0);
    next();
    setInterval(next, 250);
    await call.publish(canvas.captureStream(4).getVideoTracks()[0], {source: 'camera', simulcast: false});
  };
  const share = async (call) => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 960, height: 600});
    const pen = canvas.getContext('2d');
    setInterval(() => {
      pen.fillStyle = '#fbfaf7';
      pen.fillRect(0, 0, 960, 600);
      pen.fillStyle = '#1d2421';
      pen.font = 'bold 56px sans-serif';
      pen.fillText('What we ship in spring', 72, 120);
      pen.font = '36px sans-serif';
      ['Recordings that line up', 'Rooms of a thousand', 'Words for every trouble'].forEach((line, index) =>
        pen.fillText(`${index + 1}.  ${line}`, 72, 230 + 84 * index));
    }, 500);
    await call.publish(canvas.captureStream(2).getVideoTracks()[0], {source: 'screen', simulcast: false});
  };
  for (const [index, name] of names.entries()) {
    const answer = await fetch('/v1/dev/tokens', {
      method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({name, room})});
    const call = await join(room, (await answer.json()).token, {autoSubscribe: false, messages: false});
    if (index % 5 !== 4) await publish(call, index);
    if (name === sharing) await share(call);
  }
}
"""


async def gather(browser: Browser, url: str, room: str, *names: str, sharing: str = "") -> Page:
    """The page of the crowd; when it is closed, they are gone. `sharing`: who of them shares a screen."""
    page = await open_page(browser, url)
    await page.evaluate(GATHER, {"room": room, "names": names, "sharing": sharing})
    return page
