// The arithmetic of the toy, independent of the page: two ways to find a map, and how far its output is from native.
//
// A point is [x, y]; a map T(a) = W a + b is [w11, w12, w21, w22, b1, b2]; the tail, which is the
// frozen rest of the end network, is [u1, u2, v]: its logit for class 1 is u · x + v, and it decides at u · x + v = 0.

export const CUTOFF = 1e-7; // singular values below this share of the largest count as zero, as in the project
export const WEIGHT_DECAY = 1e-5; // as in the recipe of task loss matching; the others are PyTorch's defaults
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

export function mapped([a, b, c, d, e, f], [x, y]) {
  return [a * x + b * y + e, c * x + d * y + f];
}

export const logit = ([u, w, v], [x, y]) => u * x + w * y + v;

// Direct matching: the least-squares map of minimum norm of (W, b), which is pinv([X 1]) Y, by the singular value
// decomposition of [X 1].
export function directMatching(front, native) {
  const {columns, right} = orthogonal([front.map(([x]) => x), front.map(([, y]) => y), front.map(() => 1)]);
  const squares = columns.map(column => dot(column, column)), largest = Math.max(...squares);
  const solved = [0, 1].map(axis => {
    const target = native.map(point => point[axis]);
    const along = columns.map((column, k) => squares[k] > CUTOFF ** 2 * largest ? dot(column, target) / squares[k] : 0);
    return [0, 1, 2].map(row => right.reduce((sum, vector, k) => sum + vector[row] * along[k], 0));
  });
  return [solved[0][0], solved[0][1], solved[1][0], solved[1][1], solved[0][2], solved[1][2]];
}

const dot = (first, second) => first.reduce((sum, value, k) => sum + value * second[k], 0);

// Rotates pairs of columns until all are orthogonal (one-sided Jacobi); then they are U S, and right has V's columns.
function orthogonal(columns) {
  const right = columns.map((_, k) => columns.map((_, row) => Number(row === k)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let rotated = false;
    for (const [i, j] of [[0, 1], [0, 2], [1, 2]]) {
      const [p, q, r] = [dot(columns[i], columns[i]), dot(columns[j], columns[j]), dot(columns[i], columns[j])];
      if (Math.abs(r) <= 1e-15 * Math.sqrt(p * q)) continue;
      rotated = true;
      const zeta = (q - p) / (2 * r), tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
      const cosine = 1 / Math.hypot(1, tangent), sine = cosine * tangent;
      for (const vectors of [columns, right]) {
        [vectors[i], vectors[j]] = [vectors[i].map((value, k) => cosine * value - sine * vectors[j][k]),
          vectors[j].map((value, k) => sine * vectors[i][k] + cosine * value)];
      }
    }
    if (!rotated) break;
  }
  return {columns, right};
}

// PyTorch's default initialisation of a linear map of two features, U(−1/√2, 1/√2), by a generator (mulberry32) that
// gives the same numbers in every browser.
export function initialMap(seed) {
  let state = seed >>> 0;
  return Array.from({length: 6}, () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (2 * (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) - 1) / Math.SQRT2;
  });
}

// Task loss matching: the maps after 0, 1, …, steps steps of Adam on the cross-entropy of all images at once.
export function taskLossMatching(front, labels, tail, initial, rate, steps) {
  const maps = [initial], first = Array(6).fill(0), second = Array(6).fill(0);
  for (let step = 1; step <= steps; step++) {
    const map = maps[step - 1], slope = gradient(map, front, labels, tail);
    maps.push(map.map((value, k) => {
      const pull = slope[k] + WEIGHT_DECAY * value;
      first[k] += (1 - BETA1) * (pull - first[k]);
      second[k] = BETA2 * second[k] + (1 - BETA2) * pull * pull;
      const size = Math.sqrt(second[k]) / Math.sqrt(1 - BETA2 ** step) + EPSILON;
      return value - rate / (1 - BETA1 ** step) * first[k] / size;
    }));
  }
  return maps;
}

// The gradient of the cross-entropy with respect to the map's six numbers.
export function gradient(map, front, labels, tail) {
  const slope = Array(6).fill(0), [u, w] = tail;
  front.forEach(([x, y], k) => {
    const error = (1 / (1 + Math.exp(-logit(tail, mapped(map, [x, y])))) - labels[k]) / front.length;
    [u * x, u * y, w * x, w * y, u, w].forEach((part, index) => { slope[index] += error * part; });
  });
  return slope;
}

// Mean cross-entropy, in nats, of the tail on points of the end network's space.
export function crossEntropy(points, labels, tail) {
  return points.reduce((sum, point, k) => {
    const margin = labels[k] ? -logit(tail, point) : logit(tail, point);
    return sum + Math.max(margin, 0) + Math.log1p(Math.exp(-Math.abs(margin))); // log(1 + e^margin) without overflow
  }, 0) / points.length;
}

// The number of points that the tail classifies correctly.
export function correct(points, labels, tail) {
  return points.filter((point, k) => Number(logit(tail, point) > 0) === labels[k]).length;
}

// ‖T(a) − b‖² / ‖b‖² over all images, uncentred; null if all native activations are zero.
export function distance(points, native) {
  const size = native.reduce((sum, [x, y]) => sum + x * x + y * y, 0);
  const error = points.reduce((sum, [x, y], k) => sum + (x - native[k][0]) ** 2 + (y - native[k][1]) ** 2, 0);
  return size ? error / size : null;
}

// Mean and covariance (N − 1) of points, as {mean: [x, y], covariance: [xx, xy, yy]}.
export function moments(points) {
  const mean = [0, 1].map(axis => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const over = (i, j) => points.reduce((sum, point) => sum + (point[i] - mean[i]) * (point[j] - mean[j]), 0)
    / (points.length - 1);
  return {mean, covariance: [over(0, 0), over(0, 1), over(1, 1)]};
}

// (‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½)) / tr(C_native); null if all native activations are equal. For
// 2 × 2 covariances the trace of the root is √(tr(C₁C₂) + 2 √(det C₁ det C₂)).
export function frechet(points, native) {
  const [ofPoints, ofNative] = [moments(points), moments(native)];
  const [[a, b, c], [d, e, f]] = [ofPoints.covariance, ofNative.covariance];
  if (!(d + f > 0)) return null;
  const determinants = Math.max(0, a * c - b * b) * Math.max(0, d * f - e * e);
  const root = Math.sqrt(Math.max(0, a * d + 2 * b * e + c * f + 2 * Math.sqrt(determinants)));
  const offset = (ofPoints.mean[0] - ofNative.mean[0]) ** 2 + (ofPoints.mean[1] - ofNative.mean[1]) ** 2;
  return Math.max(0, offset + a + c + d + f - 2 * root) / (d + f);
}
