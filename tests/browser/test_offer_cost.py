"""What an offer costs a Chromium, by how many pairs of sound and picture are in it: printed, for the README to quote.

    pytest tests/browser/test_offer_cost.py

What is asserted is that it takes them all.
"""

from __future__ import annotations

from statistics import median

import pytest
from playwright.async_api import Browser, Page

from signaling.negotiation import Offerer, SlotLine
from tests.signaling.descriptions import LOCAL
from tests.support.chromium import new_page

pytestmark = pytest.mark.chromium

PAIRS = (5, 25, 49)
TIMES = 3  # each, with connections of their own
SSRCS_PER_PAIR = 3

# As the client does it. Milliseconds of each step, and the answer.
ANSWER = """
async ({sdp, first}) => {
  if (first) window.connection = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  const began = performance.now();
  await connection.setRemoteDescription({type: 'offer', sdp});
  const taken = performance.now();
  await connection.setLocalDescription();
  return {remote: taken - began, local: performance.now() - taken, answer: connection.localDescription.sdp};
}
"""


def lines(pairs: int) -> list[SlotLine]:
    made = []
    for pair in range(pairs):
        ssrc, stream = 1000 + SSRCS_PER_PAIR * pair, f"place-{pair}"
        made.append(SlotLine(str(2 * pair), "audio", ssrc, None, stream, f"{stream}-audio"))
        made.append(SlotLine(str(2 * pair + 1), "video", ssrc + 1, ssrc + 2, stream, f"{stream}-video"))
    return made


async def answered(page: Page, offerer: Offerer, pairs: int, *, first: bool) -> tuple[float, float]:
    """How long `setRemoteDescription` and `setLocalDescription` took, in ms."""
    took = await page.evaluate(ANSWER, {"sdp": offerer.offer(LOCAL, lines(pairs)), "first": first})
    read = offerer.on_answer(took["answer"])
    assert len(read.payload_types) == 2 * pairs and not read.rejected
    return took["remote"], took["local"]


async def test_what_an_offer_of_many_pairs_costs(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    page = await new_page(browser)
    for pairs in PAIRS:
        costs = []
        for _ in range(TIMES):
            offerer = Offerer()
            whole = await answered(page, offerer, pairs, first=True)
            costs.append((*whole, *await answered(page, offerer, pairs + 1, first=False)))
            await page.evaluate("connection.close()")
        middle = [f"{median(column):8.0f}" for column in zip(*costs, strict=True)]
        rows.append(f"{pairs:5} {''.join(middle)}")
    with capsys.disabled():
        print("\npairs   remote   local   remote   local    (ms; the first offer, and one pair more)", *rows, sep="\n")
