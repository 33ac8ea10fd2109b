/** One call, from joined to ended: wires the room to the board, the controls, the sound and the words on the page. */

import { AudioPlayback } from '../client/client.js';
import { Board } from './board.js';
import { Chat } from './chat.js';
import { Controls } from './controls.js';
import { DeviceWatch } from './device-watch.js';
import { Moderated } from './moderated.js';
import { announce, element } from './page.js';
import { People } from './people.js';
import { captureWish, keepPreferences } from './preferences.js';
import { RecordControl } from './record-control.js';
import { RecordWatch } from './record-watch.js';
import { RecordingMark } from './recording-mark.js';
import { Settings } from './settings.js';
import { StatisticsOverlay } from './statistics-overlay.js';
import { connectionWords, countWords, deviceWords, expiringWords, leftWords } from './words.js';

/** @typedef {import('../client/client.js').Room} Room */
/** @typedef {import('./lobby.js').Choice} Choice */
/** @typedef {import('./devices.js').Device} Device */

// Candidates and DTLS take one second on a good network and three on a bad one.
const SLOW_MS = 8000;

export class Call {
  #room;
  #choice;
  #board;
  #controls;
  #playback;
  #chat;
  #people;
  #moderated;
  #recording;
  #record;
  #watch;
  #overlay;
  #settings;
  #devices;
  #listening = new AbortController();
  #slow = 0;
  #isSlow = false;

  /**
   * @param {Room} room just joined
   * @param {Choice} choice
   */
  constructor(room, choice) {
    this.#room = room;
    this.#choice = choice;
    this.#playback = new AudioPlayback(room);
    this.#board = new Board(room, choice.preferences, (identity) => this.#people.showPerson(identity));
    this.#overlay = new StatisticsOverlay(room, this.#board);
    const { preferences } = choice;
    const useDevice = (/** @type {Device} */ device, /** @type {string} */ id) => this.#useDevice(device, id);
    this.#settings = new Settings(preferences, (device, id) => this.#chooseDevice(device, id), () => this.#render());
    this.#devices = new DeviceWatch(room, preferences, useDevice);
    this.#controls = new Controls(room, preferences, () => this.#openOptions(), (option) => this.#toggle(option));
    this.#chat = new Chat(room, () => this.#people.giveWay());
    this.#people = new People(room, () => this.#chat.giveWay());
    this.#moderated = new Moderated(room);
    this.#recording = new RecordingMark(room);
    this.#record = new RecordControl(room);
    this.#watch = new RecordWatch(room);
    this.#watchRoom();
    this.#watchSound();
    this.#render();
    element('call-title', HTMLElement).focus();
  }

  /**
   * Publishes what the lobby opened, then lasts until the room closes.
   * @returns {Promise<{code: string, reason: string}>}
   */
  async run() {
    const closed = new Promise((resolve) => this.#room.on('closed', resolve));
    const goodbye = () => void this.#room.leave();
    const { signal } = this.#listening;
    addEventListener('pagehide', goodbye, { signal });
    for (const name of ['online', 'offline']) addEventListener(name, () => this.#showConnection(), { signal });
    this.#publish().catch((error) => {
      element('call-trouble', HTMLElement).textContent = deviceWords(error, 'camera and microphone');
    });
    const ending = await closed;
    this.#listening.abort();
    clearTimeout(this.#slow);
    const marks = [this.#moderated, this.#recording, this.#record, this.#watch];
    const parts = [this.#chat, this.#people, ...marks, this.#controls, this.#settings, this.#devices, this.#board];
    for (const part of parts) part.close();
    this.#overlay.show(false);
    document.title = 'Call';
    return ending;
  }

  async #publish() {
    const { camera, microphone } = this.#choice;
    if (!this.#room.grants.publish) {
      camera?.stop();
      microphone?.stop();
      return;
    }
    // The voice first: it is what people wait for.
    const { camera: cameraOptions } = this.#openOptions();
    await Promise.all([
      microphone && this.#room.publishMicrophone({ track: microphone }),
      camera && this.#room.publishCamera({ ...cameraOptions, track: camera }),
    ]);
  }

  #openOptions() {
    const { camera, microphone } = this.#choice.preferences;
    return {
      camera: { ...captureWish(location.search), deviceId: camera },
      microphone: { deviceId: microphone },
    };
  }

  #watchRoom() {
    const room = this.#room;
    for (const name of /** @type {const} */ ([
      'participantjoined',
      'participantchanged',
      'participantleft',
      'viewerschanged',
      'trackpublished',
      'trackunpublished',
      'tracksubscribed',
      'trackunsubscribed',
      'muted',
      'speaking',
      'localtrackpublished',
      'localtrackunpublished',
      'localtrackreplaced',
      'connectionstate',
      'grantschanged',
      'roomchanged',
      'moved',
    ])) {
      room.on(name, () => this.#render());
    }
    room.view.on('speakers', () => this.#board.renderSoon());
    room.on('participantjoined', ({ participant }) => announce(`${participant.name} joined`));
    room.on('participantleft', ({ participant, reason }) => {
      // Those whom we were moved away from have not gone anywhere.
      if (reason !== 'elsewhere') announce(leftWords(participant.name, reason));
    });
    room.on('trackpublished', ({ participant, track }) => {
      if (track.source === 'screen') announce(`${participant.name} shares a screen`);
    });
    room.on('tokenexpiring', ({ inS }) => {
      element('call-trouble', HTMLElement).textContent = expiringWords(inS);
    });
    room.on('localtrackended', ({ track }) => {
      if (track.source === 'screen') announce('You no longer share your screen');
    });
    room.on('connectionstate', () => {
      clearTimeout(this.#slow);
      this.#isSlow = false;
      this.#watchSlowness();
    });
    this.#watchSlowness();
  }

  #watchSound() {
    const banner = element('hear', HTMLElement);
    const showBanner = () => (banner.hidden = !this.#playback.blocked);
    this.#playback.on('blocked', showBanner);
    this.#playback.on('allowed', showBanner);
    showBanner();
    const { signal } = this.#listening;
    element('hear-button', HTMLButtonElement).addEventListener('click', () => void this.#playback.resume(), { signal });
    void this.#playback.useSpeaker(this.#choice.preferences.speaker);
  }

  /** A connection that takes too long gets words about what to do. */
  #watchSlowness() {
    this.#slow = setTimeout(() => {
      this.#isSlow = true;
      this.#showConnection();
    }, SLOW_MS);
  }

  /**
   * @param {Device} device
   * @param {string} deviceId
   */
  #chooseDevice(device, deviceId) {
    this.#useDevice(device, deviceId).catch((error) => {
      element('call-trouble', HTMLElement).textContent = deviceWords(error, device === 'camera' ? device : 'microphone');
    });
  }

  /**
   * @param {Device} device
   * @param {string} deviceId
   */
  async #useDevice(device, deviceId) {
    const { preferences } = this.#choice;
    preferences[device] = deviceId;
    keepPreferences(preferences);
    if (device === 'speaker') return this.#playback.useSpeaker(deviceId);
    // A released camera opens the new device when it is turned on again.
    await this.#room.you.track(device)?.useDevice(deviceId);
  }

  /** @param {'speakerView' | 'statistics'} option */
  #toggle(option) {
    this.#settings.set(option, !this.#choice.preferences[option]);
  }

  #render() {
    this.#board.renderSoon();
    this.#controls.render();
    this.#people.render();
    this.#recording.render();
    this.#record.render();
    this.#watch.render();
    this.#showName();
    this.#overlay.show(this.#choice.preferences.statistics);
    element('call-count', HTMLElement).textContent = countWords(this.#room.participants.size, this.#room.viewers);
    this.#showConnection();
  }

  #showName() {
    const { name } = this.#room;
    document.title = `${name} – call`;
    const title = element('call-title', HTMLElement);
    if (title.textContent !== name) title.textContent = name;
  }

  #showConnection() {
    const { connectionState } = this.#room;
    const { short, long } = connectionWords(connectionState, navigator.onLine, this.#isSlow);
    const connection = element('connection', HTMLElement);
    connection.dataset.state = navigator.onLine ? connectionState : 'reconnecting';
    // Written only when it is another: assistive tools read out every writing.
    if (connection.textContent !== short) connection.textContent = short;
    const trouble = element('connection-trouble', HTMLElement);
    if (trouble.textContent !== long) trouble.textContent = long;
  }
}
