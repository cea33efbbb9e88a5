// Small charts: histograms of a detector's scores, trajectories, all cells as points, a run's thumbnail.

const BINS = 60; // of scores: HISTOGRAM_BINS in verdicts.py
const MARGIN = {left: 44, right: 14, top: 10, bottom: 38};
const MIN_RATIO = 1e-3; // smaller ratios are drawn here: a logarithmic axis has no 0
const RATIO_TICKS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000];

// Makes an empty chart. An axis is {low, high, ticks: [value, name], log}; x and y map values to positions.
function chart(label, width, height, across, up, title) {
  const right = width - MARGIN.right, bottom = height - MARGIN.bottom, {left, top} = MARGIN;
  const svg = shape('svg', {viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label,
    class: 'chart'});
  const positionOn = (axis, from, to) => value => {
    const share = ((axis.log ? Math.log10(value) : value) - axis.low) / (axis.high - axis.low || 1);
    return Number((from + share * (to - from)).toFixed(1));
  };
  const x = positionOn(across, left, right), y = positionOn(up, bottom, top);
  svg.append(shape('path', {class: 'rule', d: `M${left} ${bottom}H${right}`}));
  for (const [at, name] of across.ticks) {
    svg.append(shape('path', {class: 'rule', d: `M${x(at)} ${bottom}v4`}));
    svg.append(shape('text', {class: 'tick', x: x(at), y: bottom + 16, 'text-anchor': 'middle'}, name));
  }
  for (const [at, name] of up.ticks) {
    svg.append(shape('path', {class: 'grid', d: `M${left} ${y(at)}H${right}`}));
    svg.append(shape('text', {class: 'tick', x: left - 7, y: y(at), 'text-anchor': 'end',
      'dominant-baseline': 'central'}, name));
  }
  svg.append(shape('text', {class: 'axis', x: (left + right) / 2, y: height - 5, 'text-anchor': 'middle'},
    cut(title, width - 8, 12)));
  return {svg, x, y, left, right, bottom};
}

// Draws histograms of scores as outlines: native, both methods, known outliers, in bins that the column shares.
function histogram(run, detector, r, c, width) {
  const scores = run.judged[detector].scores[c], step = (scores.to - scores.from) / BINS;
  const sets = ['native', ...run.methods, 'outliers'].flatMap(name => {
    const counts = scores[name]?.[run.methods.includes(name) ? r : 0];
    return counts ? [[name, shares(counts)]] : [];
  });
  const highest = Math.max(0.01, ...sets.flatMap(([, heights]) => heights));
  const across = {low: scores.from - step, high: scores.to + step, ticks: decades(scores, width)};
  const up = {low: 0, high: highest * 1.05, ticks: rounds(0, highest, 3).map(at => [at, percent(at)])};
  const {svg, x, y, bottom} = chart(
    `Histograms of ${DATA.detectors[detector].label} scores: ${sets.map(([name]) => DATA.sets[name]).join(', ')}`,
    width, 220, across, up, 'interquartile ranges from the native median (right: native)');
  for (const [name, heights] of sets) {
    const steps = heights.map((share, k) => `V${y(share)}H${x(scores.from + (k + 1) * step)}`).join('');
    svg.append(shape('path', {class: `line ${name}`, d: `M${x(scores.from)} ${bottom}${steps}V${bottom}`}));
  }
  return element('figure', {}, svg, key(sets.map(([name]) => name)));
}

// Returns the share of each bin from stored counts: number of images, first bin, the counts from there on.
function shares([images, first, ...counts]) {
  return Array.from({length: BINS}, (_, k) => (counts[k - first] ?? 0) / Math.max(1, images));
}

const percent = share => `${fixed(100 * share, share < 0.095 ? 1 : 0)} %`;

// Returns the ticks of the stretched axis of scores; those near 0 come first if there is no room for all.
function decades(scores, width) {
  const pixels = (width - MARGIN.left - MARGIN.right) / (scores.to - scores.from), ticks = [];
  for (const at of DATA.decades.toSorted((a, b) => Math.abs(a) - Math.abs(b))) {
    const position = Math.asinh(at);
    if (position >= scores.from && position <= scores.to
      && ticks.every(([other]) => Math.abs(other - position) * pixels > 26)) ticks.push([position, plain(at)]);
  }
  return ticks;
}

// Draws the legend of lines, or of points.
function key(names, points = false) {
  const mark = name => points && name !== 'reference' ? point(name, 11, 6)
    : shape('path', {class: `line ${name}`, d: 'M1 6H21'});
  return element('figcaption', {class: 'key'}, names.map(name => element('span', {},
    shape('svg', {width: 22, height: 12, 'aria-hidden': 'true'}, mark(name)),
    DATA.sets[name] ?? 'The end network alone')));
}

function point(method, x, y) {
  return method === 'tlm' ? shape('path', {class: 'point tlm', d: `M${x} ${y - 6}l6 6l-6 6l-6 -6Z`})
    : shape('rect', {class: 'point dm', x: x - 4.5, y: y - 4.5, width: 9, height: 9});
}

// Draws a trajectory: the accuracy, and below it a detector's first metric, by epoch of TLM's training.
function trajectory(run, epochs, detector, width) {
  const {label, compares, metrics} = DATA.detectors[detector], metric = DATA.verdicts[metrics[0]];
  const dashed = run.own === null ? '' : ' (dashed: the end network alone)';
  return [strip(epochs.epochs, epochs.accuracy, `Accuracy${dashed}`, 'native', width, run.own),
    strip(epochs.epochs, epochs.told[detector], compares ? metric : `${metric} (${label})`, 'tlm', width)];
}

function strip(epochs, series, name, kind, width, reference = null) {
  const high = 1.08 * Math.max(0, ...[...series, reference].filter(value => value !== null)) || 1, last = epochs.at(-1);
  const ticks = epochs.filter((at, k) => at === 0 || at === last || (k % 2 && at > last * 0.08));
  const across = {low: epochs[0], high: last, ticks: ticks.map(at => [at, at])};
  const {svg, x, y, left, right} = chart(`${name}, by epoch`, width, 130, across,
    {low: 0, high, ticks: rounds(0, high, 3).map(at => [at, plain(at)])}, 'epoch');
  if (reference !== null) svg.append(shape('path', {class: 'line reference', d: `M${left} ${y(reference)}H${right}`}));
  const points = epochs.flatMap((at, k) => series[k] === null ? [] : [[x(at), y(series[k])]]);
  const path = points.map(at => at.join(' ')).join('L');
  if (path) svg.append(shape('path', {class: `line ${kind}`, d: `M${path}`}));
  svg.append(...points.map(([cx, cy]) => shape('circle', {class: `dot ${kind}`, cx, cy, r: 2.6})));
  return element('figure', {}, element('p', {class: 'strip'}, name), svg);
}

// Draws every cell and method as a point: accuracy against the Fréchet ratio. onPoint is called with what was done.
function scatter(run, width, chosen, onPoint) {
  const points = run.methods.flatMap(method => run.frontLayers.flatMap((_, r) => run.endLayers.map((_, c) => ({
    method, r, c, accuracy: run.values[`${method}/accuracy`][r][c], ratio: run.values[`${method}/frechet/ratio`][r][c],
  })))).filter(at => at.accuracy !== null && at.ratio !== null);
  const ratioOf = at => Math.max(at.ratio, MIN_RATIO), ratios = points.map(ratioOf);
  const low = Math.log10(Math.min(0.1, ...ratios) / 1.3), high = Math.log10(Math.max(1, ...ratios) * 1.3);
  const ticks = RATIO_TICKS.filter(at => Math.log10(at) >= low && Math.log10(at) <= high);
  const few = ticks.length * 40 < width ? ticks : ticks.filter(at => /^[0.]*10*$/.test(at));
  const {svg, x, y, left, right} = chart('All cells: accuracy against the Fréchet ratio', width,
    Math.min(460, Math.max(300, width * 0.6)), {low, high, log: true, ticks: few.map(at => [at, String(at)])},
    {low: -0.02, high: 1.04, ticks: rounds(0, 1).map(at => [at, at.toFixed(1)])},
    'Fréchet ratio to native (logarithmic; left is native)');
  if (run.own !== null) svg.append(shape('path', {class: 'line reference', d: `M${left} ${y(run.own)}H${right}`}));
  const ringed = points.filter(at => at.r === chosen[0] && at.c === chosen[1]);
  const between = ringed.map(at => `${x(ratioOf(at))} ${y(at.accuracy)}`).join('L');
  if (ringed.length > 1) svg.append(shape('path', {class: 'between', d: `M${between}`}));
  svg.append(...points.map(at =>
    dot(run, at, point(at.method, x(ratioOf(at)), y(at.accuracy)), ringed.includes(at), onPoint)));
  return element('figure', {class: 'wide'}, element('h3', {}, 'All cells: accuracy and distribution'), svg,
    key([...run.methods, ...(run.own === null ? [] : ['reference'])], true));
}

function dot(run, at, mark, ringed, onPoint) {
  mark.classList.toggle('pale', isDoubtful(run, 'frechet', at.c));
  mark.classList.toggle('ringed', ringed);
  for (const [event, action] of [['pointerenter', 'over'], ['pointerleave', 'out'], ['click', 'choose']]) {
    mark.addEventListener(event, () => onPoint(action, at, mark));
  }
  return mark;
}

// Draws a run's first heatmaps small, for its card.
function thumbnail(run) {
  const grids = run.shows[0].maps.slice(0, 2), cell = 8, gap = 12;
  const wide = run.endLayers.length * cell + gap, high = run.frontLayers.length * cell;
  const squares = grids.flatMap((grid, k) => matrixOf(run, grid.of).flatMap((row, r) => row.map((value, c) =>
    shape('rect', {x: k * wide + c * cell, y: r * cell, width: cell - 0.5, height: cell - 0.5,
      fill: css(value === null ? MUTED[isDark()] : onScale(grid.scale, place(grid, value)))}))));
  return shape('svg', {viewBox: `0 0 ${Math.max(1, grids.length * wide - gap)} ${high}`, class: 'thumb',
    'aria-hidden': 'true', preserveAspectRatio: 'xMinYMid'}, squares);
}
