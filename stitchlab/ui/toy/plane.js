// Planes and small charts as SVG: points by the shape of their class, clouds as ellipses, the decision line, courses.

const SVG = 'http://www.w3.org/2000/svg';
const SIZE = 400; // of a plane, in SVG units
const SHAPES = ['circle', 'triangle'];
const EXTENTS = [3.2, 4, 5, 6.5, 9, 13, 19, 28, 40, 60, 90, 140, 200]; // few, so that a plane seldom changes its scale

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(target, attributes, children) {
  set(target, attributes);
  target.append(...children);
  return target;
}

function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
}

// Converts coordinates to a place on a plane whose axes run from −extent to extent, and back.
const across = (extent, [x, y]) => [SIZE / 2 * (1 + x / extent), SIZE / 2 * (1 - y / extent)];
const back = (extent, [x, y]) => [(2 * x / SIZE - 1) * extent, (1 - 2 * y / SIZE) * extent];
const within = (value, margin) => Math.min(SIZE - margin, Math.max(margin, value));
const path = places => places.map(([x, y], k) => `${k ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

// Returns the smallest extent with room for all of these points.
function extentFor(points) {
  const needed = Math.max(...points.flat().map(Math.abs)) * 1.06;
  return EXTENTS.find(extent => extent >= needed) ?? EXTENTS.at(-1);
}

const axes = () => drawn('path', {class: 'axes', d: `M0 ${SIZE / 2}H${SIZE}M${SIZE / 2} 0V${SIZE}`});

// Returns the shape of a class around the origin: a circle, or a triangle of about the same area.
function outline(label, radius) {
  const arc = `a${radius} ${radius} 0 1 0`;
  if (!label) return `M${-radius} 0${arc} ${2 * radius} 0${arc} ${-2 * radius} 0Z`;
  const [side, up] = [radius * 1.2, radius * 1.35];
  return `M0 ${-up}L${side} ${up * 0.62}L${-side} ${up * 0.62}Z`;
}

// Makes points that can be moved. Tab reaches one point of a cloud, Page Up and Page Down the others.
function movable(cloud, {labels}) {
  return labels.map((_, k) => drawn('g', {class: `point ${cloud}`, role: 'slider', tabindex: k ? -1 : 0,
    'data-image': k, 'data-cloud': cloud, 'aria-label': `Image ${k + 1}, ${cloud} activations`, 'aria-valuemin': -LIMIT,
    'aria-valuemax': LIMIT, 'aria-roledescription': 'point in a plane'},
  drawn('circle', {class: 'hold', r: 14}), drawn('path')));
}

function place(point, at, label, extent) {
  set(point, {transform: `translate(${across(extent, at)})`, 'aria-valuenow': at[0],
    'aria-valuetext': `${SHAPES[label]} at ${at.map(value => value.toFixed(2)).join(', ')}`});
  set(point.lastChild, {d: outline(label, 7.5)});
}

// Sets an ellipse to two standard deviations around a cloud's mean; returns its highest and its lowest point.
function surround(ellipse, points, extent) {
  const {mean, covariance: [a, b, c]} = moments(points), half = (a + c) / 2, root = Math.hypot((a - c) / 2, b);
  const [x, y] = across(extent, mean), unit = SIZE / extent; // two standard deviations
  const turn = -Math.atan2(2 * b, a - c) / 2 * 180 / Math.PI;
  set(ellipse, {rx: unit * Math.sqrt(half + root), ry: Math.max(1, unit * Math.sqrt(Math.max(0, half - root))),
    transform: `translate(${x} ${y}) rotate(${turn})`});
  const up = unit * Math.sqrt(c), aside = c ? unit * b / Math.sqrt(c) : 0; // from the mean to the highest point
  return {top: [x + aside, y - up], bottom: [x - aside, y + up]};
}

// Returns the line u · x + v = 0, the half-plane of class 1, and a place for a label on either side.
function decision([u, w, v], extent) {
  const size = u * u + w * w, far = 4 * extent / Math.sqrt(size);
  const at = (s, t) => across(extent, [-v * u / size + far * (t * u - s * w), -v * w / size + far * (t * w + s * u)]);
  const bottom = -extent * 0.93, foot = (-v - w * bottom) / u; // where the line leaves the plane below
  return {ends: [at(-1, 0), at(1, 0)], half: [at(-1, 0), at(1, 0), at(1, 1), at(-1, 1)],
    sides: [across(extent, [-0.97 * extent, bottom]), across(extent, [0.97 * extent, bottom])]};
}

// Draws a quantity over the steps so far with its current value, and direct matching's value as a dashed line.
function curve(svg, title, values, steps, level) {
  const [width, height, left, top, bottom] = [280, 96, 38, 22, 78], right = width - 10;
  const highest = Math.max(1e-9, level ?? 0, ...values.map(value => value ?? 0));
  const text = (x, y, words, anchor) => drawn('text', {x, y, 'text-anchor': anchor}, words);
  const y = value => bottom - value / highest * (bottom - top);
  const at = step => [left + step / (values.length - 1) * (right - left), y(values[step])];
  svg.replaceChildren(drawn('path', {class: 'axes', d: `M${left} ${top}V${bottom}H${right}`}),
    text(left, 12, title, 'start'), text(left - 5, top + 4, tidy(highest), 'end'),
    text(left - 5, bottom + 3, '0', 'end'), text(left, height - 4, '0', 'start'), text(right, height - 4, `${values.length - 1} steps`, 'end'));
  set(svg, {'aria-label': `${title} of task loss matching: ${tidy(values[0])} before training, ${tidy(values[steps])} `
    + `after ${steps} steps. Direct matching: ${tidy(level)}.`});
  if (level === null) return;
  svg.append(drawn('path', {class: 'level', d: `M${left} ${y(level)}H${right}`}),
    drawn('path', {class: 'course', d: path(sampled([...values.keys()], steps).map(at))}),
    drawn('circle', {class: 'now', cx: at(steps)[0], cy: at(steps)[1], r: 4}));
}
