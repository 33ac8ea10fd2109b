"""What a page of the app shows only for a moment: the connection's states and words in passing, since it was opened.

On a fast machine a connection is repaired between two looks of a test, and on a slow one a toast has faded before the
first; so the page itself writes them down.
"""

from __future__ import annotations

from playwright.async_api import Page

from tests.support.chromium import eventually

# Every change has a record of its own, however many come in one turn: the values before each, and what there is now.
REMEMBER = """
addEventListener('DOMContentLoaded', () => {
  const states = [];
  const toasts = [];
  window.remembered = {states, toasts};
  const connection = document.getElementById('connection');
  const toast = document.getElementById('toast');
  if (!connection || !toast) return;
  const note = (state) => state === states.at(-1) || states.push(state);
  note(connection.dataset.state);
  new MutationObserver((records) => {
    for (const {oldValue} of records) note(oldValue);
    note(connection.dataset.state);
  }).observe(connection, {attributeFilter: ['data-state'], attributeOldValue: true});
  new MutationObserver((records) => {
    for (const {addedNodes} of records) for (const {data} of addedNodes) toasts.push(data);
  }).observe(toast, {childList: true});
});
"""


async def states(page: Page) -> list[str]:
    """Those of `#connection`, each once when it came."""
    seen: list[str] = await page.evaluate("() => window.remembered.states")
    return seen


async def goes_through(page: Page, after: int, *expected: str) -> None:
    """Wait until these states came in this order after the first `after` ones, with others between them or not."""

    async def came() -> bool:
        rest = iter((await states(page))[after:])
        return all(state in rest for state in expected)

    try:
        await eventually(came, f"the connection goes through {expected}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it went through {await states(page)}") from None


async def announces(page: Page, words: str) -> None:
    """Wait until something with these words was said in passing, however long ago."""

    async def said() -> bool:
        return any(words in toast for toast in await page.evaluate("() => window.remembered.toasts"))

    await eventually(said, f"the page announces {words!r}")
