import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Showing } from '../../../signaling/static/app/showing.js';

let observer;
let told;
let subject;

/** Says what is in sight when the test does. */
class FakeIntersectionObserver {
  constructor(report) {
    observer = this;
    this.report = (...entries) => report(entries.map(([target, isIntersecting]) => ({ target, isIntersecting })));
  }
  observe() {}
  unobserve() {}
  disconnect() {}
}

class FakeResizeObserver extends FakeIntersectionObserver {
  constructor() {
    const before = observer;
    super(() => undefined);
    observer = before;
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  mock.method(performance, 'now', () => now);
  globalThis.pass = (ms) => {
    now += ms;
    mock.timers.tick(ms);
  };
  globalThis.IntersectionObserver = FakeIntersectionObserver;
  globalThis.ResizeObserver = FakeResizeObserver;
  globalThis.devicePixelRatio = 2;
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible', pictureInPictureElement: null });
  told = [];
  subject = new Showing(async ({ tiles }) => void told.push(tiles.map(({ track }) => track)));
});

afterEach(() => {
  subject.close();
  mock.timers.reset();
  mock.restoreAll();
  for (const name of ['IntersectionObserver', 'ResizeObserver', 'devicePixelRatio', 'document', 'pass']) delete globalThis[name];
});

const tile = (track, onStage = false) => ({
  figure: { contains: () => false, getBoundingClientRect: () => ({ width: 160, height: 90 }) },
  track,
  onStage,
});
const tiles = (count) => Array.from({ length: count }, (_, number) => tile(`TR_${number}`));

test('the first layout waits until it is known what is in sight', () => {
  const shown = tiles(300);
  subject.update(shown);
  pass(0);
  assert.deepEqual(told, []);
  observer.report(...shown.map(({ figure }, number) => [figure, number < 49]));
  pass(0);
  assert.deepEqual(told, [shown.slice(0, 49).map(({ track }) => track)]);
});

test('but not for ever, and what is in sight is told when that is known', () => {
  const shown = tiles(2);
  subject.update(shown);
  observer.report([shown[0].figure, true]);
  pass(0);
  pass(999);
  assert.deepEqual(told, []);
  pass(1);
  assert.deepEqual(told, [['TR_0']]);
  observer.report([shown[1].figure, true]);
  pass(200);
  assert.deepEqual(told.slice(1), [['TR_0', 'TR_1']]);
});

for (const count of [256, 257]) {
  test(`of ${count} in sight no more are told than the server takes, the stage before all others`, () => {
    const shown = [...tiles(count - 1), tile('stage', true)];
    subject.update(shown);
    observer.report(...shown.map(({ figure }) => [figure, true]));
    pass(0);
    assert.deepEqual([told[0].length, told[0][0], told[0].at(-1)], [256, 'stage', 'TR_254']);
  });
}

test('it is told in time though something happens all the time', () => {
  const shown = tiles(2);
  subject.update(shown.slice(0, 1));
  observer.report([shown[0].figure, true]);
  pass(0);
  subject.update(shown);
  observer.report([shown[1].figure, true]);
  for (let ms = 0; ms < 200; ms += 50) {
    subject.update(shown);
    pass(50);
  }
  assert.deepEqual(told, [['TR_0'], ['TR_0', 'TR_1']]);
});

test('a hidden tab shows nothing after a while, and what it did as soon as it is looked at', () => {
  const shown = tiles(1);
  subject.update(shown);
  observer.report([shown[0].figure, true]);
  pass(0);
  subject.update(shown);
  document.visibilityState = 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
  pass(2999);
  assert.equal(told.length, 1);
  pass(1);
  document.visibilityState = 'visible';
  document.dispatchEvent(new Event('visibilitychange'));
  pass(200);
  assert.deepEqual(told, [['TR_0'], [], ['TR_0']]);
});
