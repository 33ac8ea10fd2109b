/** The page's own elements, found by id and checked, and the few things that every view does with them. */

/**
 * @template {Element} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * A fresh copy of what a `<template>` holds.
 * @param {string} id
 */
export function fromTemplate(id) {
  return /** @type {DocumentFragment} */ (element(id, HTMLTemplateElement).content.cloneNode(true));
}

/** @param {'lobby' | 'waiting' | 'call' | 'ended'} view */
export function show(view) {
  document.body.dataset.view = view;
  for (const id of ['lobby', 'waiting', 'call', 'ended']) element(id, HTMLElement).hidden = id !== view;
}

/**
 * Says a thing in passing: shown for a moment, and read out by assistive tools.
 * @param {string} text
 */
export function announce(text) {
  const toast = element('toast', HTMLElement);
  toast.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (toast.textContent = ''), TOAST_MS);
}

// Long enough to read four words without looking for them.
const TOAST_MS = 4000;
let fading = 0;

/**
 * One face of a toggle: its picture, its name (in the title with its key), and whether what it stands for is on.
 * @param {HTMLButtonElement} button
 * @param {{icon: string, label: string, on?: boolean, sharing?: boolean}} face
 */
export function setFace(button, { icon, label, on = true, sharing = false }) {
  const key = button.getAttribute('aria-keyshortcuts');
  button.querySelector('use')?.setAttribute('href', `#icon-${icon}`);
  button.setAttribute('aria-label', label);
  button.title = key ? `${label} (${key})` : label;
  button.dataset.on = String(on);
  button.dataset.sharing = String(sharing);
}

/**
 * The address that lets others into this room, without any token.
 * @param {string} room
 */
export function roomAddress(room) {
  return `${location.origin}/r/${encodeURIComponent(room)}`;
}
