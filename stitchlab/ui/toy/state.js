// The state that the reader can change, and its text in the address:
//
//   1.situation.seed.steps.rate.moved.maps
//
// 1 is the version of this form; rate is an index of RATES; moved has five characters for each moved point: which one
// (0 to v: front points, then native ones), x and y (two digits in base 36 each, in steps of GRID from −LIMIT); maps is
// two digits: whether direct and task loss matching are shown. A text of any other form is ignored.

export const PARAMETER = 'toy';
export const LIMIT = 3; // points can be moved up to this coordinate
export const GRID = 0.05;
export const MOST_STEPS = 600;
export const MOST_SEEDS = 1000;
export const RATES = [0.005, 0.01, 0.02, 0.05, 0.1];
const FORM = /^1\.([a-z]+)\.(\d{1,3})\.(\d{1,3})\.(\d)\.((?:[0-9a-v][0-9a-z]{4}){0,32})\.([01])([01])$/;
const COUNT = Math.round(2 * LIMIT / GRID);

// Returns the initial state of a situation.
export function fresh(data, situation = Object.keys(data.situations)[0]) {
  return {situation, seed: 1, steps: 300, rate: 2, shown: {dm: true, tlm: true},
    front: data.situations[situation].front.map(([...point]) => point), native: data.native.map(([...point]) => point)};
}

// Reads a state; null if the text has another form.
export function read(text, data) {
  const [, situation, seed, steps, rate, moved, dm, tlm] = FORM.exec(text ?? '') ?? [];
  if (!situation || !Object.hasOwn(data.situations, situation)) return null;
  if (+steps > MOST_STEPS || +rate >= RATES.length) return null;
  const shown = {dm: dm === '1', tlm: tlm === '1'};
  const state = {...fresh(data, situation), seed: +seed, steps: +steps, rate: +rate, shown};
  const points = [...state.front, ...state.native];
  for (const [, which, x, y] of moved.matchAll(/(.)(..)(..)/g)) {
    const place = [x, y].map(part => parseInt(part, 36));
    if (Math.max(...place) > COUNT) return null;
    points[parseInt(which, 36)].splice(0, 2, ...place.map(count => snapped(count * GRID - LIMIT)));
  }
  return state;
}

export function write(state, data) {
  const initial = [...data.situations[state.situation].front, ...data.native];
  const digits = value => Math.round((value + LIMIT) / GRID).toString(36).padStart(2, '0');
  const isInitial = (point, k) => point.every((value, axis) => value === initial[k][axis]);
  const moved = [...state.front, ...state.native].map((point, k) => isInitial(point, k)
    ? '' : k.toString(36) + point.map(digits).join(''));
  const shown = [state.shown.dm, state.shown.tlm].map(Number).join('');
  return [1, state.situation, state.seed, state.steps, state.rate, moved.join(''), shown].join('.');
}

// Tells whether the points, and whether all settings but the shown maps, are as the situation starts them: only then
// do its sentences hold.
export function owned(state, data) {
  const first = fresh(data, state.situation), {front, native} = state;
  const same = other => write({...other, shown: first.shown}, data) === write(first, data);
  return {points: same({...first, front, native}), all: same(state)};
}

// Returns the nearest coordinate on the grid, within the limits.
export function snapped(value) {
  const inside = Math.min(LIMIT, Math.max(-LIMIT, value));
  return Number((Math.round(inside / GRID) * GRID).toFixed(2)) + 0;
}
