/** Building the page out of elements and text. Text is never read as HTML. */

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * A table that scrolls by itself where it is wider than the page.
 * @param {string[]} heads
 * @param {(Node | string)[][][]} rows
 */
export function table(heads, rows) {
  const head = element('tr', {}, ...heads.map((text) => (text ? element('th', { scope: 'col' }, text) : element('td', {}))));
  const body = rows.map((cells) => element('tr', {}, ...cells.map((cell) => element('td', {}, ...cell))));
  const made = element('table', {}, element('thead', {}, head), element('tbody', {}, ...body));
  return element('div', { class: 'scrolled', tabindex: '0', role: 'group', 'aria-label': heads.filter(Boolean).join(', ') }, made);
}

/**
 * The little Markdown that the document uses: paragraphs, `code`, **strong**, [links](to).
 * @param {string} text
 */
export function paragraphs(text) {
  return text
    .split(/\n\s*\n/)
    .filter((one) => one.trim())
    .map((one) => element('p', { class: 'described' }, ...inline(one.trim())));
}

/** @param {string} text */
function inline(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let rest = text;
  while (rest) {
    const found = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https:[^)]+)\)/.exec(rest);
    if (!found) break;
    parts.push(rest.slice(0, found.index));
    if (found[1]) parts.push(element('code', {}, found[1]));
    else if (found[2]) parts.push(element('strong', {}, found[2]));
    else parts.push(element('a', { href: found[4] ?? '', rel: 'noreferrer' }, found[3] ?? ''));
    rest = rest.slice(found.index + found[0].length);
  }
  return [...parts, rest];
}
