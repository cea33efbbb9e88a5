// What the reader can change, and its text in the address:
//
//   1.situation.seed.steps.rate.moved.maps
//
// 1 is the version of this form; rate counts RATES from 0; moved has five characters for each moved point: which (0 to
// v: front points, then native ones), x and y (two digits of base 36 each, in steps of GRID from −LIMIT); maps is two
// digits, direct and task loss matching shown or not. A text of any other form is as good as none.

export const PARAMETER = 'toy';
export const LIMIT = 3; // as far as points can be moved
export const GRID = 0.05;
export const MOST_STEPS = 600;
export const MOST_SEEDS = 1000;
export const RATES = [0.005, 0.01, 0.02, 0.05, 0.1];
const FORM = /^1\.([a-z]+)\.(\d{1,3})\.(\d{1,3})\.(\d)\.((?:[0-9a-v][0-9a-z]{4}){0,32})\.([01])([01])$/;
const COUNT = Math.round(2 * LIMIT / GRID);

// The state that a reader meets first, of a situation.
export function fresh(data, situation = Object.keys(data.situations)[0]) {
  return {situation, seed: 1, steps: 300, rate: 2, shown: {dm: true, tlm: true},
    front: data.situations[situation].front.map(([...point]) => point), native: data.native.map(([...point]) => point)};
}

// Reads a state; null where the text is none.
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
  const was = [...data.situations[state.situation].front, ...data.native];
  const digits = value => Math.round((value + LIMIT) / GRID).toString(36).padStart(2, '0');
  const moved = [...state.front, ...state.native].map((point, k) => point.every((value, axis) => value === was[k][axis])
    ? '' : k.toString(36) + point.map(digits).join(''));
  const shown = [state.shown.dm, state.shown.tlm].map(Number).join('');
  return [1, state.situation, state.seed, state.steps, state.rate, moved.join(''), shown].join('.');
}

// Whether the points, and whether all but what is shown, are as a situation begins: then its sentences hold.
export function owned(state, data) {
  const first = fresh(data, state.situation), {front, native} = state;
  const same = one => write({...one, shown: first.shown}, data) === write(first, data);
  return {points: same({...first, front, native}), all: same(state)};
}

// The place on the grid, within the limits, that is nearest to a coordinate.
export function snapped(value) {
  const inside = Math.min(LIMIT, Math.max(-LIMIT, value));
  return Number((Math.round(inside / GRID) * GRID).toFixed(2)) + 0;
}
