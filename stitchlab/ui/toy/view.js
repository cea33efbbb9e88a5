// The toy's elements. They are made once and then updated, so that the keyboard focus stays where it is.

const NAMES = {native: 'native', dm: 'DM', tlm: 'TLM'};
const FRONT_EXTENT = LIMIT * 1.06;
const ROWS = [['Images right', ({right}) => right], ['Cross-entropy', ({loss}) => tidy(loss)],
  ['Distance', ({distance}) => tidy(distance)], ['Fréchet ratio', ({frechet}) => tidy(frechet)]];
const CURVES = {losses: ['Cross-entropy', 'loss'], distances: ['Distance to native', 'distance']};

// Makes the elements that toy.html does not contain.
function built(root, data) {
  const find = selector => root.querySelector(selector), [front, end] = [find('.front svg'), find('.end svg')];
  find('.situations').append(...Object.entries(data.situations).map(([name, {label}]) => element(
    'button', {type: 'button', 'data-do': 'situation', 'data-situation': name}, label)));
  find('select').append(...RATES.map((rate, k) => new Option(String(rate), k)));
  find('.steps input').max = MOST_STEPS;
  root.querySelectorAll('thead svg').forEach((svg, k) => svg.append(
    drawn('g', {transform: 'translate(10 10)'}, marked(SETS[k]))));
  const view = {root, find, points: {front: movable('front', data), native: movable('native', data)}, marks: {}};
  for (const method of ['dm', 'tlm']) view.marks[method] = data.labels.map(() => marked(method));
  view.clouds = byName(SETS, name => drawn('ellipse', {class: `cloud ${name}`}));
  view.names = byName(SETS, name => drawn('text', {class: 'name', 'text-anchor': 'middle'}, NAMES[name]));
  view.trails = data.labels.map(() => drawn('path', {class: 'trail'}));
  view.ties = byName(['dm', 'tlm'], name => drawn('path', {class: `tie ${name}`}));
  view.half = drawn('polygon', {class: 'half'});
  view.line = drawn('path', {class: 'decision'});
  view.answers = [0, 1].map(label => drawn('text', {class: 'answer', 'text-anchor': label ? 'end' : 'start'},
    `answers ${SHAPES[label]}`));
  front.append(axes(), ...view.points.front);
  end.append(view.half, axes(), view.line, ...Object.values(view.clouds), ...view.trails, ...Object.values(view.ties),
    ...view.marks.tlm, ...view.marks.dm, ...view.points.native, ...view.answers, ...Object.values(view.names));
  return view;
}

const byName = (names, make) => Object.fromEntries(names.map(name => [name, make(name)]));

// Makes the mark of a set at the origin: hollow for native, filled for direct matching, dotted for task loss matching.
function marked(name) {
  return drawn('g', {class: `mark ${name}`}, drawn('path', {d: outline(0, {native: 7.5, dm: 4.5, tlm: 6}[name])}),
    ...(name === 'tlm' ? [drawn('circle', {r: 1.7})] : []));
}

// Shows a state; extent belongs to the end network's plane, image is the one that is pointed at, or null.
function show(view, state, result, {points, numbers}, data, {extent, image}) {
  state.front.forEach((point, k) => place(view.points.front[k], point, result.classes[k], FRONT_EXTENT));
  state.native.forEach((point, k) => place(view.points.native[k], point, result.classes[k], extent));
  decide(view, data.tail, extent);
  for (const name of SETS) showCloud(view, name, points[name], result.classes, extent, state.shown[name] ?? true);
  view.trails.forEach((trail, k) => set(trail, {d: state.shown.tlm ? path(sampled(result.course, state.steps).map(
    step => across(extent, step[k]))) : ''}));
  for (const [name, tie] of Object.entries(view.ties)) {
    const ends = [points[name], state.native].map(cloud => across(extent, cloud[image ?? 0]));
    set(tie, {d: image === null || !state.shown[name] ? '' : path(ends)});
  }
  for (const mark of view.root.querySelectorAll('[data-image]')) {
    mark.classList.toggle('at', Number(mark.dataset.image) === image);
  }
  showNumbers(view, numbers, state, result);
  showSwitches(view, state, data);
}

// Returns about 60 of the steps so far at most, with the first and the last.
function sampled(course, steps) {
  const every = Math.max(1, Math.ceil(steps / 60));
  return course.filter((_, step) => step === steps || (step < steps && step % every === 0));
}

function showCloud(view, name, points, classes, extent, shown) {
  const {top, bottom} = surround(view.clouds[name], points, extent), [x, y] = name === 'native' ? bottom : top;
  set(view.names[name], {x: within(x, 20), y: within(name === 'native' ? y + 16 : y - 6, 14)});
  for (const element of [view.clouds[name], view.names[name]]) element.style.display = shown ? '' : 'none';
  view.marks[name]?.forEach((mark, k) => {
    set(mark, {transform: `translate(${across(extent, points[k])})`, 'data-image': k});
    set(mark.firstChild, {d: outline(classes[k], name === 'dm' ? 4.5 : 6)});
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
    element('th', {scope: 'row'}, name), ...SETS.map(column => element('td', {}, cell(numbers[column]))))));
  for (const [values, [title, name]] of Object.entries(CURVES)) {
    curve(view.find(`[data-curve=${name}]`), title, result[values], state.steps, numbers.dm[name]);
  }
  view.find('.said').textContent = verdict(numbers, state.steps, state.front.length);
}

function showSwitches(view, state, data) {
  const {has, see} = data.situations[state.situation], own = owned(state, data);
  for (const [part, text, holds] of [['front', has, own.points], ['figure', see, own.all]]) {
    const sentence = view.find(`[data-of=${part}]`);
    sentence.textContent = text;
    sentence.style.visibility = holds ? '' : 'hidden'; // it keeps its space, so that nothing moves under the pointer
  }
  for (const button of view.root.querySelectorAll('[data-situation]')) {
    set(button, {'aria-pressed': button.dataset.situation === state.situation});
  }
  for (const box of view.root.querySelectorAll('[data-shown]')) box.checked = state.shown[box.dataset.shown];
  view.find('.steps input').value = state.steps;
  view.find('output').textContent = state.steps;
  view.find('select').value = state.rate;
}
