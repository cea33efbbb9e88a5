// The toy's elements, made once and then set to what is to be seen, so that the keyboard stays where it is.

const NAMES = {native: 'native', dm: 'DM', tlm: 'TLM'};
const FRONT_EXTENT = LIMIT * 1.06;
const ROWS = [['Images right', ({right}) => right], ['Cross-entropy', ({loss}) => tidy(loss)],
  ['Distance', ({distance}) => tidy(distance)], ['Fréchet ratio', ({frechet}) => tidy(frechet)]];
const CURVES = {losses: ['Cross-entropy', 'loss'], distances: ['Distance to native', 'distance']};

// Makes all that the skeleton (toy.html) leaves open.
function built(root, data) {
  const find = selector => root.querySelector(selector), [front, end] = [find('.front svg'), find('.end svg')];
  find('.situations').append(...Object.entries(data.situations).map(([name, {label}]) => element(
    'button', {type: 'button', 'data-do': 'situation', 'data-situation': name}, label)));
  find('select').append(...RATES.map((rate, k) => new Option(String(rate), k)));
  find('.steps input').max = MOST_STEPS;
  root.querySelectorAll('thead svg').forEach((svg, k) => svg.append(
    drawn('g', {transform: 'translate(10 10)'}, marked(SETS[k]))));
  const view = {root, find, points: {front: movable('front', data), native: movable('native', data)}, marks: {}};
  for (const one of ['dm', 'tlm']) view.marks[one] = data.labels.map(() => marked(one));
  view.clouds = byName(SETS, one => drawn('ellipse', {class: `cloud ${one}`}));
  view.names = byName(SETS, one => drawn('text', {class: 'name', 'text-anchor': 'middle'}, NAMES[one]));
  view.trails = data.labels.map(() => drawn('path', {class: 'trail'}));
  view.ties = byName(['dm', 'tlm'], one => drawn('path', {class: `tie ${one}`}));
  view.half = drawn('polygon', {class: 'half'});
  view.line = drawn('path', {class: 'decision'});
  view.answers = [0, 1].map(label => drawn('text', {class: 'answer', 'text-anchor': label ? 'end' : 'start'},
    `answers ${SHAPES[label]}`));
  front.append(axes(), ...view.points.front);
  end.append(view.half, axes(), view.line, ...Object.values(view.clouds), ...view.trails, ...Object.values(view.ties),
    ...view.marks.tlm, ...view.marks.dm, ...view.points.native, ...view.answers, ...Object.values(view.names));
  return view;
}

const byName = (names, made) => Object.fromEntries(names.map(name => [name, made(name)]));

// A point of a set around the origin, to be moved to its place: native hollow, direct matching full, the other dotted.
function marked(one) {
  return drawn('g', {class: `mark ${one}`}, drawn('path', {d: outline(0, {native: 7.5, dm: 4.5, tlm: 6}[one])}),
    ...(one === 'tlm' ? [drawn('circle', {r: 1.7})] : []));
}

// Shows a state. extent: of the end network's plane; image: the one that is pointed at, or null.
function show(view, state, result, {points, numbers}, data, {extent, image}) {
  state.front.forEach((point, k) => place(view.points.front[k], point, result.classes[k], FRONT_EXTENT));
  state.native.forEach((point, k) => place(view.points.native[k], point, result.classes[k], extent));
  decide(view, data.tail, extent);
  for (const one of SETS) showCloud(view, one, points[one], result.classes, extent, state.shown[one] ?? true);
  view.trails.forEach((trail, k) => set(trail, {d: state.shown.tlm ? path(sampled(result.course, state.steps).map(
    step => across(extent, step[k]))) : ''}));
  for (const [one, tie] of Object.entries(view.ties)) {
    const ends = [points[one], state.native].map(those => across(extent, those[image ?? 0]));
    set(tie, {d: image === null || !state.shown[one] ? '' : path(ends)});
  }
  for (const mark of view.root.querySelectorAll('[data-image]')) {
    mark.classList.toggle('at', Number(mark.dataset.image) === image);
  }
  showNumbers(view, numbers, state, result);
  showSwitches(view, state, data);
}

// At most some 60 of the steps so far, the first and the last among them.
function sampled(course, steps) {
  const every = Math.max(1, Math.ceil(steps / 60));
  return course.filter((_, step) => step === steps || (step < steps && step % every === 0));
}

function showCloud(view, one, points, classes, extent, shown) {
  const {top, bottom} = surround(view.clouds[one], points, extent), [x, y] = one === 'native' ? bottom : top;
  set(view.names[one], {x: within(x, 20), y: within(one === 'native' ? y + 16 : y - 6, 14)});
  for (const element of [view.clouds[one], view.names[one]]) element.style.display = shown ? '' : 'none';
  view.marks[one]?.forEach((mark, k) => {
    set(mark, {transform: `translate(${across(extent, points[k])})`, 'data-image': k});
    set(mark.firstChild, {d: outline(classes[k], one === 'dm' ? 4.5 : 6)});
    mark.style.display = shown ? '' : 'none';
  });
}

function decide(view, tail, extent) {
  const {ends, half, sides} = decision(tail, extent);
  set(view.line, {d: path(ends)});
  set(view.half, {points: half.join(' ')});
  sides.forEach(([x, y], label) => set(view.answers[label], {x, y}));
}

function showNumbers(view, numbers, state, result) {
  view.find('tbody').replaceChildren(...ROWS.map(([name, cell]) => element('tr', {},
    element('th', {scope: 'row'}, name), ...SETS.map(one => element('td', {}, cell(numbers[one]))))));
  for (const [values, [title, name]] of Object.entries(CURVES)) {
    curve(view.find(`[data-curve=${name}]`), title, result[values], state.steps, numbers.dm[name]);
  }
  view.find('.said').textContent = verdict(numbers, state.steps, state.front.length);
}

function showSwitches(view, state, data) {
  const {has, see} = data.situations[state.situation], own = owned(state, data);
  for (const [of, said, holds] of [['front', has, own.points], ['figure', see, own.all]]) {
    const sentence = view.find(`[data-of=${of}]`);
    sentence.textContent = said;
    sentence.style.visibility = holds ? '' : 'hidden'; // it keeps its room, so that nothing jumps under the pointer
  }
  for (const button of view.root.querySelectorAll('[data-situation]')) {
    set(button, {'aria-pressed': button.dataset.situation === state.situation});
  }
  for (const box of view.root.querySelectorAll('[data-shown]')) box.checked = state.shown[box.dataset.shown];
  view.find('.steps input').value = state.steps;
  view.find('output').textContent = state.steps;
  view.find('select').value = state.rate;
}
