/**
 * Moments when the network may be another, or back: the best time to try again, and to ask whether the old path still
 * works.
 */

/**
 * Calls `onChange` then. Returns the way to stop it.
 * @param {() => void} onChange
 * @returns {() => void}
 */
export function watchNetwork(onChange) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const onVisible = () => document.visibilityState === 'visible' && onChange();
  addEventListener('online', onChange, { signal });
  // A page in the background is throttled, and on phones frozen: what it missed shows when it is looked at again.
  document.addEventListener('visibilitychange', onVisible, { signal });
  // Not in Firefox and Safari: there a lost path is noticed by its silence.
  const { connection } = /** @type {{connection?: EventTarget}} */ (/** @type {unknown} */ (navigator));
  connection?.addEventListener('change', onChange, { signal });
  return () => stopping.abort();
}
