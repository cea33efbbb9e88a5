// The outcome of a state: both maps, where they send the points, the numbers of each set, and a sentence.

const SETS = ['native', 'dm', 'tlm'];

// Trains task loss matching and solves direct matching; nothing here depends on how many steps are shown.
export function trained({situation, front, native, seed, rate}, {situations, labels, tail}) {
  const classes = labels.map(label => situations[situation].swapped ? 1 - label : label);
  const maps = taskLossMatching(front, classes, tail, initialMap(seed), RATES[rate], MOST_STEPS);
  const course = maps.map(map => front.map(point => mapped(map, point)));
  return {classes, course, direct: front.map(point => mapped(directMatching(front, native), point)),
    losses: course.map(points => crossEntropy(points, classes, tail)),
    distances: course.map(points => distance(points, native))};
}

// The three sets of points in the end network's space after some steps, and the numbers of each.
export function judged({native, steps}, {classes, course, direct}, {tail}) {
  const points = {native, dm: direct, tlm: course[steps]};
  const numbers = Object.fromEntries(SETS.map(set => [set, {right: correct(points[set], classes, tail),
    loss: crossEntropy(points[set], classes, tail), distance: distance(points[set], native),
    frechet: frechet(points[set], native)}]));
  return {points, numbers};
}

// Compares both methods in words.
export function verdict({dm, tlm}, steps, images) {
  const comparison = tlm.right === dm.right ? 'as many images right as'
    : `${tlm.right > dm.right ? 'more' : 'fewer'} images right than`;
  const accuracy = `After ${steps} steps, task loss matching gets ${comparison} direct matching `
    + `(${tlm.right} and ${dm.right} of ${images})`;
  if (dm.distance === null) return `${accuracy}. All native activations are zero: distances are undefined.`;
  const times = tlm.distance / dm.distance;
  const size = times < 999.5 ? `${times.toFixed(times < 9.95 ? 1 : 0)} times` : 'over 1000 times';
  return `${accuracy}. Its distance to the native activations, ${tidy(tlm.distance)}, is ${size} direct matching's `
    + `(${tidy(dm.distance)}).`;
}

// Writes a number for the table; – if it is undefined.
export function tidy(value) {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value >= 0.0995 || value < 0.0005) return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  return value.toPrecision(3);  // so that quotients of printed numbers agree with the text
}
