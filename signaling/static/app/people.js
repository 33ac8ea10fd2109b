/**
 * Who is here, beside the call: hands, the stage, who waits in the lobby; and for moderators what can be done about each.
 *
 * `render` makes the list agree with the room, whatever happened in between. Rows are kept, so that the focus stays.
 */

import { announce, element, fromTemplate, setFace } from './page.js';
import { PersonRow } from './person-row.js';
import { moderationWords } from './moderation-words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {{locked?: boolean, lobby?: boolean}} RoomSettings */

export class People {
  #room;
  #panel = element('people', HTMLElement);
  #list = element('people-list', HTMLElement);
  #lobby = element('people-lobby', HTMLElement);
  #waiting = element('people-waiting', HTMLElement);
  #trouble = element('people-trouble', HTMLElement);
  #toggle = element('toggle-people', HTMLButtonElement);
  #hand = element('toggle-hand', HTMLButtonElement);
  #raise = element('people-hand', HTMLButtonElement);
  #locked = element('people-locked', HTMLInputElement);
  #lobbyOn = element('people-lobby-on', HTMLInputElement);
  #listening = new AbortController();
  /** @type {Map<string, PersonRow>} by identity */
  #rows = new Map();
  /** @type {Set<RoomSettings>} what the server has not answered yet; a tick stays meanwhile, whatever else happens */
  #asked = new Set();

  /**
   * @param {Room} room
   * @param {() => void} onOpen the chat has the same place
   */
  constructor(room, onOpen) {
    this.#room = room;
    this.onOpen = onOpen;
    const { signal } = this.#listening;
    this.#toggle.addEventListener('click', () => this.show(this.#panel.hidden), { signal });
    element('people-close', HTMLButtonElement).addEventListener('click', () => this.show(false), { signal });
    this.#panel.addEventListener('keydown', (event) => event.key === 'Escape' && this.show(false), { signal });
    for (const button of [this.#hand, this.#raise]) {
      button.addEventListener('click', () => this.#do(() => room.moderation.setHand(room.you.hand === 0)), { signal });
    }
    this.#locked.addEventListener('change', () => this.#set({ locked: this.#locked.checked }), { signal });
    this.#lobbyOn.addEventListener('change', () => this.#set({ lobby: this.#lobbyOn.checked }), { signal });
    const stop = [
      room.on('lobbychanged', () => this.#onLobby()),
      room.on('participantchanged', ({ participant }) => this.#onHand(participant)),
    ];
    signal.addEventListener('abort', () => stop.forEach((each) => each()));
    this.#list.replaceChildren();
    this.render();
  }

  render() {
    const { you, participants, moderation, grants } = this.#room;
    const open = !this.#panel.hidden;
    const waiting = moderation.waiting.length;
    const more = waiting ? ` (${waiting} waiting)` : '';
    setFace(this.#toggle, { icon: 'people', label: open ? 'Close the list of people' : `People${more}`, sharing: open });
    this.#toggle.setAttribute('aria-expanded', String(open));
    this.#toggle.dataset.unread = waiting ? String(waiting) : '';
    const label = you.hand ? 'Lower your hand' : 'Raise your hand';
    setFace(this.#hand, { icon: 'hand', label, sharing: you.hand > 0 });
    this.#hand.ariaPressed = this.#raise.ariaPressed = String(you.hand > 0);
    this.#raise.textContent = label;
    element('people-room', HTMLElement).hidden = !grants.administer;
    const { locked, lobby } = Object.assign({ ...moderation.state }, ...this.#asked);
    this.#locked.checked = locked;
    this.#lobbyOn.checked = lobby;
    element('call-locked', HTMLElement).hidden = !moderation.state.locked;
    const everybody = [you, ...participants.values()].sort((one, other) => orderOf(one) - orderOf(other));
    const identities = everybody.map(({ identity }) => identity);
    for (const [identity, row] of this.#rows) {
      if (identities.includes(identity)) continue;
      row.remove();
      this.#rows.delete(identity);
    }
    for (const [index, person] of everybody.entries()) {
      const row = this.#rows.get(person.identity) ?? this.#newRow(person.identity);
      row.update(person, { own: person === you, administer: grants.administer });
      if (this.#list.children[index] !== row.item) this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
    }
    this.#renderLobby();
  }

  /**
   * Opens the list at somebody, with what can be done about them.
   * @param {string} identity
   */
  showPerson(identity) {
    this.show(true);
    this.#rows.get(identity)?.open();
  }

  /** @param {boolean} open */
  show(open) {
    if (open) this.onOpen();
    this.#panel.hidden = !open;
    document.body.dataset.people = open ? 'open' : 'closed';
    (open ? element('people-title', HTMLElement) : this.#toggle).focus();
    this.render();
  }

  /** Without a word, as the chat comes in its place. */
  giveWay() {
    this.#panel.hidden = true;
    document.body.dataset.people = 'closed';
    this.render();
  }

  close() {
    this.#listening.abort();
    this.#panel.hidden = true;
    document.body.dataset.people = 'closed';
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  /** @param {string} identity */
  #newRow(identity) {
    const row = new PersonRow(this.#room, identity, (step) => this.#do(step));
    this.#rows.set(identity, row);
    return row;
  }

  #renderLobby() {
    const { waiting } = this.#room.moderation;
    this.#lobby.hidden = waiting.length === 0;
    const shown = [...this.#waiting.children].map((item) => /** @type {HTMLElement} */ (item).dataset.identity);
    if (shown.join('\n') === waiting.map(({ identity }) => identity).join('\n')) return;
    this.#waiting.replaceChildren(
      ...waiting.map(({ identity, name }) => {
        const item = /** @type {HTMLElement} */ (fromTemplate('waiting-person').firstElementChild);
        item.dataset.identity = identity;
        const [words] = item.getElementsByTagName('span');
        if (words) words.textContent = name;
        for (const button of item.getElementsByTagName('button')) {
          const admits = button.dataset.step === 'admit';
          button.setAttribute('aria-label', `${admits ? 'Admit' : 'Deny'} ${name}`);
          button.onclick = () =>
            this.#do(() => (admits ? this.#room.moderation.admit(identity) : this.#room.moderation.deny(identity)));
        }
        return item;
      }),
    );
  }

  #onLobby() {
    const shown = this.#waiting.childElementCount;
    const { waiting } = this.#room.moderation;
    const last = waiting.at(-1);
    if (last && waiting.length > shown) announce(`${last.name} waits to be admitted`);
    this.render();
  }

  /** @param {RoomPerson} participant */
  #onHand({ identity, name, hand }) {
    const before = this.#rows.get(identity)?.hand ?? 0;
    if (hand && !before && identity !== this.#room.you.identity) announce(`${name} raised a hand`);
  }

  /** @param {RoomSettings} settings */
  async #set(settings) {
    this.#asked.add(settings);
    await this.#do(() => this.#room.moderation.setRoom(settings).finally(() => this.#asked.delete(settings)));
  }

  /** @param {() => Promise<void>} step */
  async #do(step) {
    this.#trouble.textContent = '';
    try {
      await step();
    } catch (error) {
      this.#trouble.textContent = moderationWords(error);
      if (this.#panel.hidden) announce(this.#trouble.textContent);
    }
    this.render();
  }
}

/** @typedef {import('./person-row.js').RoomPerson} RoomPerson */

/**
 * Raised hands first, in their order; then who is on stage; then as they came.
 * @param {RoomPerson} person
 */
function orderOf({ hand, onStage }) {
  if (hand) return hand - 1e9;
  return onStage ? -1 : 0;
}
