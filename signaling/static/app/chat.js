/**
 * The chat beside the call: what everybody says on the topic `chat`, and a line to write.
 *
 * Whatever others wrote is text, and stays text. Who comes later sees what is said from then on, and what was said before
 * where the room keeps it.
 */

import { announce, element, setFace } from './page.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/room-events.js').RoomMessage} RoomMessage */
/** @typedef {{identity: string, atMs: number}} Line */

const TOPIC = 'chat';
// Lines of one person stand together, under one name and time, while they follow so closely.
const TOGETHER_MS = 120_000;
// An afternoon's talk. More would only make the page slow.
const MOST_LINES = 500;
// Of a line that is announced while the chat is closed.
const ANNOUNCED_CHARACTERS = 80;
const AT_THE_END_PX = 40;

export class Chat {
  #room;
  #onOpen;
  #panel = element('chat', HTMLElement);
  #lines = element('chat-lines', HTMLElement);
  #text = element('chat-text', HTMLTextAreaElement);
  #trouble = element('chat-trouble', HTMLElement);
  #toggle = element('toggle-chat', HTMLButtonElement);
  #newer = element('chat-newer', HTMLButtonElement);
  #listening = new AbortController();
  #unread = 0;
  /** @type {Line | null} */
  #last = null;

  /**
   * @param {Room} room
   * @param {() => void} onOpen the list of people has the same place
   */
  constructor(room, onOpen) {
    this.#room = room;
    this.#onOpen = onOpen;
    const { signal } = this.#listening;
    this.#toggle.addEventListener('click', () => this.#show(this.#panel.hidden), { signal });
    element('chat-close', HTMLButtonElement).addEventListener('click', () => this.#show(false), { signal });
    this.#panel.addEventListener('keydown', (event) => event.key === 'Escape' && this.#show(false), { signal });
    element('chat-form', HTMLFormElement).addEventListener('submit', (event) => this.#onSubmit(event), { signal });
    this.#text.addEventListener('keydown', (event) => this.#onKey(event), { signal });
    this.#text.addEventListener('input', () => this.#fitText(), { signal });
    this.#lines.addEventListener('scroll', () => this.#isAtEnd() && this.#hideNewer(), { signal });
    this.#newer.addEventListener('click', () => this.#toEnd(), { signal });
    const stop = [
      room.on('message', (message) => this.#onMessage(message)),
      room.on('messagerefused', ({ code }) => this.#showTrouble(code)),
      room.on('messageslost', ({ count }) => this.#add('gap', lostWords(count))),
    ];
    signal.addEventListener('abort', () => stop.forEach((each) => each()));
    element('chat-form', HTMLElement).hidden = !room.grants.message;
    element('chat-silent', HTMLElement).hidden = room.grants.message;
    this.#lines.replaceChildren();
    this.#trouble.textContent = '';
    this.#text.value = '';
    this.#render();
  }

  close() {
    this.#listening.abort();
    this.#panel.hidden = true;
    document.body.dataset.chat = 'closed';
  }

  /** Without a word, as the list of people comes in its place. */
  giveWay() {
    this.#panel.hidden = true;
    document.body.dataset.chat = 'closed';
    this.#render();
  }

  /** @param {boolean} open */
  #show(open) {
    if (open) this.#onOpen();
    this.#panel.hidden = !open;
    document.body.dataset.chat = open ? 'open' : 'closed';
    if (open) {
      this.#unread = 0;
      this.#toEnd();
      (this.#room.grants.message ? this.#text : this.#lines).focus();
    } else {
      this.#toggle.focus();
    }
    this.#render();
  }

  #render() {
    const open = !this.#panel.hidden;
    const unread = this.#unread ? ` (${this.#unread} unread)` : '';
    setFace(this.#toggle, { icon: 'chat', label: open ? 'Close the chat' : `Open the chat${unread}`, sharing: open });
    this.#toggle.setAttribute('aria-expanded', String(open));
    this.#toggle.dataset.unread = this.#unread > 99 ? '99+' : String(this.#unread || '');
  }

  /** @param {RoomMessage} message */
  #onMessage({ identity, participant, topic, payload, ageS }) {
    if (topic !== TOPIC || typeof payload !== 'string' || payload.trim() === '') return;
    const { you } = this.#room;
    // What we wrote before this page was loaded comes back to us with the rest.
    const own = identity === you.identity;
    const name = own ? `${you.name} (you)` : (participant?.name ?? (identity || 'Announcement'));
    this.#say({ identity, name, text: payload, own, ageS });
    if (!this.#panel.hidden || ageS > 0) return;
    this.#unread += 1;
    this.#render();
    const [shown, rest] = [[...payload].slice(0, ANNOUNCED_CHARACTERS).join(''), payload.length > ANNOUNCED_CHARACTERS];
    announce(`${name}: ${shown}${rest ? '…' : ''}`);
  }

  /** @param {Event} event */
  #onSubmit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text) return;
    this.#trouble.textContent = '';
    this.#text.value = '';
    this.#fitText();
    const { identity, name } = this.#room.you;
    const line = this.#say({ identity, name: `${name} (you)`, text, own: true });
    this.#toEnd();
    this.#room.sendMessage(text, { topic: TOPIC }).catch((error) => {
      line.dataset.sent = 'no';
      this.#text.value ||= text; // to try again
      this.#showTrouble(error?.code);
    });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    // While somebody composes, Enter chooses a character (Chinese, Japanese, Korean).
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    element('chat-form', HTMLFormElement).requestSubmit();
  }

  /** @param {string} code */
  #showTrouble(code) {
    this.#trouble.textContent = troubleWords(code);
  }

  /** @param {{identity: string, name: string, text: string, own: boolean, ageS?: number}} said */
  #say({ identity, name, text, own, ageS = 0 }) {
    const line = { identity, atMs: Date.now() - ageS * 1000 };
    const heading = beginsGroup(this.#last, line) ? headingOf(name, line.atMs) : null;
    this.#last = line;
    return this.#add(own ? 'own' : 'other', text, heading);
  }

  /**
   * @param {'own' | 'other' | 'gap'} kind
   * @param {string} text
   * @param {HTMLElement | null} [heading]
   */
  #add(kind, text, heading = null) {
    const atEnd = this.#isAtEnd();
    const item = document.createElement('div');
    item.className = 'chat-line';
    item.dataset.kind = kind;
    if (heading) item.append(heading);
    else if (kind === 'gap') this.#last = null;
    const paragraph = document.createElement('p');
    paragraph.textContent = text;
    paragraph.dir = 'auto';
    item.append(paragraph);
    this.#lines.append(item);
    while (this.#lines.childElementCount > MOST_LINES) this.#lines.firstElementChild?.remove();
    if (atEnd) this.#toEnd();
    else this.#newer.hidden = this.#panel.hidden;
    return item;
  }

  /** Somebody who reads further up is not to be carried off. */
  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#lines;
    return scrollHeight - scrollTop - clientHeight < AT_THE_END_PX;
  }

  #toEnd() {
    this.#lines.scrollTop = this.#lines.scrollHeight;
    this.#hideNewer();
  }

  #hideNewer() {
    this.#newer.hidden = true;
  }

  /** As high as what is written, up to what the style allows. */
  #fitText() {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }
}

/**
 * Whether a line needs a name and a time above it.
 * @param {Line | null} last
 * @param {Line} line
 */
export function beginsGroup(last, line) {
  return last === null || last.identity !== line.identity || line.atMs - last.atMs > TOGETHER_MS;
}

/**
 * @param {string | undefined} code of PROTOCOL.md
 * @returns {string}
 */
export function troubleWords(code) {
  switch (code) {
    case 'rate':
      return 'That was too much at once, and did not reach everybody. Wait a moment.';
    case 'too_large':
      return 'This is too long for one message.';
    case 'not_granted':
      return 'Your invitation does not allow sending messages.';
    default:
      return 'The message could not be sent. Try again.';
  }
}

/** @param {number} count */
export function lostWords(count) {
  return `${count === 1 ? 'A message is' : `${count} messages are`} missing here: your connection was too slow.`;
}

/**
 * @param {string} name
 * @param {number} atMs
 */
function headingOf(name, atMs) {
  const heading = document.createElement('h3');
  const who = document.createElement('span');
  who.className = 'chat-name';
  who.textContent = name;
  who.dir = 'auto';
  const when = document.createElement('time');
  when.dateTime = new Date(atMs).toISOString();
  when.textContent = new Date(atMs).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  heading.append(who, ' ', when);
  return heading;
}
