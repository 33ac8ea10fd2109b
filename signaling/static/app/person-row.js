/** One person in the list of people, and what a moderator can do about them. */

import { fromTemplate, setFace } from './page.js';
import { roomOfFamily } from './moderation-words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('../client/client.js').Participant | import('../client/client.js').LocalParticipant} RoomPerson */
/** @typedef {'mute' | 'ask' | 'camera' | 'ask-camera' | 'screen' | 'stage' | 'hand' | 'remove' | 'ban'} Step */

export class PersonRow {
  hand = 0;
  #room;
  #identity;
  #do;
  #item;
  #name;
  #badges;
  #toggle;
  #steps;

  /**
   * @param {Room} room
   * @param {string} identity
   * @param {(step: () => Promise<void>) => void} perform says what went wrong, if anything
   */
  constructor(room, identity, perform) {
    this.#room = room;
    this.#identity = identity;
    this.#do = perform;
    this.#item = find(fromTemplate('person'), '.person', HTMLElement);
    this.#name = find(this.#item, '.person-name', HTMLElement);
    this.#badges = find(this.#item, '.person-badges', HTMLElement);
    this.#toggle = find(this.#item, '.person-more', HTMLButtonElement);
    this.#steps = find(this.#item, '.person-steps', HTMLElement);
    this.#item.dataset.participant = identity;
    this.#toggle.onclick = () => this.#show(this.#steps.hidden);
    for (const button of this.#buttons()) button.onclick = () => this.#do(() => this.#step(button));
    find(this.#item, '.person-move', HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      const to = find(this.#item, '.person-room', HTMLInputElement).value.trim();
      this.#do(() => room.moderation.move(identity, roomOfFamily(room.name, to)));
    };
  }

  get item() {
    return this.#item;
  }

  /**
   * @param {RoomPerson} person
   * @param {{own: boolean, administer: boolean}} seen
   */
  update(person, { own, administer }) {
    this.hand = person.hand;
    this.#name.textContent = own ? `${person.name} (you)` : person.name;
    this.#badges.textContent = badgesOf(person);
    this.#toggle.hidden = !administer || own;
    setFace(this.#toggle, { icon: 'more', label: `What to do about ${person.name}` });
    if (this.#toggle.hidden) this.#show(false);
    const [microphone, camera] = [person.track('microphone'), person.track('camera')];
    const shown = {
      mute: isOn(microphone),
      ask: microphone !== null && microphone.muted,
      camera: isOn(camera),
      'ask-camera': camera !== null && camera.muted,
      screen: person.track('screen') !== null,
      hand: person.hand > 0,
    };
    for (const button of this.#buttons()) {
      const step = /** @type {Step} */ (button.dataset.step);
      button.hidden = step in shown && !shown[/** @type {keyof typeof shown} */ (step)];
      if (step === 'stage') button.textContent = person.onStage ? 'Take off the stage' : 'Bring on stage';
    }
  }

  open() {
    this.#show(true);
    this.#item.scrollIntoView({ block: 'nearest' });
    this.#toggle.focus();
  }

  remove() {
    this.#item.remove();
  }

  /** @param {boolean} open */
  #show(open) {
    this.#steps.hidden = !open;
    this.#toggle.setAttribute('aria-expanded', String(open));
  }

  #buttons() {
    return /** @type {NodeListOf<HTMLButtonElement>} */ (this.#item.querySelectorAll('button[data-step]'));
  }

  /**
   * @param {HTMLButtonElement} button
   * @returns {Promise<void>}
   */
  async #step(button) {
    const { moderation, participants } = this.#room;
    const identity = this.#identity;
    const person = participants.get(identity);
    if (!person) return;
    const of = (/** @type {'microphone' | 'camera' | 'screen'} */ source) => person.track(source)?.id ?? '';
    switch (/** @type {Step} */ (button.dataset.step)) {
      case 'mute':
        return moderation.muteTrack(identity, of('microphone'));
      case 'camera':
        return moderation.muteTrack(identity, of('camera'));
      case 'ask':
        return moderation.askToUnmute(identity, 'microphone');
      case 'ask-camera':
        return moderation.askToUnmute(identity, 'camera');
      case 'screen':
        return moderation.stopTrack(identity, of('screen'));
      case 'stage':
        return moderation.setStage(identity, !person.onStage);
      case 'hand':
        return moderation.setHand(false, identity);
      case 'remove':
        return moderation.remove(identity);
      case 'ban':
        return moderation.ban(identity);
    }
  }
}

/** @param {RoomPerson} person */
function badgesOf(person) {
  const badges = [];
  if (person.hand) badges.push('hand raised');
  if (person.onStage) badges.push('on stage');
  if (person.moderator) badges.push('moderator');
  if (!isOn(person.track('microphone'))) badges.push('muted');
  return badges.join(' · ');
}

/** @param {{muted: boolean} | null} track */
function isOn(track) {
  return track !== null && !track.muted;
}

/**
 * @template {Element} Kind
 * @param {ParentNode} within
 * @param {string} selector
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function find(within, selector, kind) {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the template of a person has no ${selector}`);
  return found;
}
