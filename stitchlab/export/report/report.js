// The report itself: what is chosen, which stands in the address, and the page that follows from it.

const state = {}; // run, show, as, cell, against (a run or null), detector; written: the address as it was last written
const runOf = id => DATA.runs.find(run => run.id === id) ?? null;
const showOf = run => run.shows.find(show => show.key === state.show) ?? run.shows[0];
const ownCell = run => [run.frontLayers.indexOf(run.cell[0]), run.endLayers.indexOf(run.cell[1])];

// Reads the address: what it does not name, or names wrongly, is the report's own choice.
function read() {
  const asked = new URLSearchParams(location.hash.slice(1)), run = runOf(asked.get('run')) ?? DATA.runs[0];
  const cells = run.frontLayers.flatMap((i, r) => run.endLayers.map((j, c) => [`${i}:${j}`, [r, c]]));
  state.run = run;
  state.show = asked.get('show');
  state.show = showOf(run).key;
  state.as = viewsOf(run, showOf(run)).includes(asked.get('as')) ? asked.get('as') : 'maps';
  state.against = asked.get('against') === run.id ? null : runOf(asked.get('against'));
  state.detector = asked.get('detector') ?? '';
  state.cell = cells.find(([name]) => name === asked.get('cell'))?.[1] ?? ownCell(run);
  if (['dark', 'light'].includes(asked.get('theme'))) document.documentElement.dataset.theme = asked.get('theme');
}

// Writes the address: every choice is a step in the browser's history.
function write() {
  const {run, cell: [r, c], against, detector} = state, {theme} = document.documentElement.dataset;
  location.hash = new URLSearchParams({run: run.id, show: state.show, as: state.as,
    cell: `${run.frontLayers[r]}:${run.endLayers[c]}`, ...(against && {against: against.id}),
    ...(detector && {detector}), ...(theme && {theme})});
  state.written = location.hash;
}

// Takes a choice, and draws; the keyboard stays where it was.
function change(what) {
  Object.assign(state, what);
  write();
  const at = document.activeElement, map = [...document.querySelectorAll('.heatmap')].indexOf(at?.closest('.heatmap'));
  const same = at?.id ? `#${at.id}` : at?.dataset?.view ? `[data-view=${at.dataset.view}]` : '.card[aria-current]';
  const card = at?.classList.contains('card');
  draw();
  const next = map >= 0 ? document.querySelectorAll('.heatmap')[map]?.querySelector('[tabindex="0"]')
    : at?.id || at?.dataset?.view || card ? document.querySelector(same) : null;
  next?.focus({preventScroll: true});
  hideTip();
}

function draw() {
  const {run} = state;
  hideTip();
  byId('title').textContent = DATA.title;
  drawCards();
  replace(byId('about'), DATA.title === run.label ? null : element('h2', {}, run.label), facts('facts', run.facts));
  drawStory(run);
  drawSwitches(run);
  drawStage();
  drawEnd(run);
}

// Names with what is said of each.
function facts(name, pairs) {
  return element('dl', {class: name}, pairs.map(([what, text]) => element('div', {}, element('dt', {}, what),
    element('dd', {}, text))));
}

function button(attributes, children, work) {
  const made = element('button', {type: 'button', ...attributes}, children);
  made.addEventListener('click', () => work(made));
  return made;
}

function drawCards() {
  const box = byId('runs');
  box.hidden = DATA.runs.length < 2;
  if (box.hidden) return;
  replace(box, element('ul', {class: 'cards'}, DATA.runs.map(run => element('li', {}, button(
    {class: 'card', 'aria-current': run === state.run ? 'true' : null},
    [thumbnail(run), element('strong', {}, run.label), element('span', {}, run.sentence)],
    () => change({run, cell: ownCell(run), against: null, as: 'maps',
      show: showOf(run).key}))))));
}

function drawStory(run) {
  byId('story').hidden = !run.story.length;
  replace(byId('story'), run.story.map(({front_layer: i, end_layer: j, title, text}) => element('article', {},
    element('h2', {}, title), element('p', {}, sentence(text)),
    button({class: 'door'}, `Show ${i} → ${j}`, () => {
      change({cell: [run.frontLayers.indexOf(i), run.endLayers.indexOf(j)], as: 'maps', against: null});
      reveal(byId('explore'));
    }))));
}

function select(id, label, options, chosen, work) {
  const option = ([value, text]) => element('option', {value, selected: value === chosen}, text);
  const box = element('select', {id}, options.map(([name, ones]) => Array.isArray(ones)
    ? element('optgroup', {label: name}, ones.map(option)) : option([name, ones])));
  box.addEventListener('change', () => work(box.value));
  return element('label', {}, element('span', {}, label), box);
}

function drawSwitches(run) {
  const show = showOf(run);
  const groups = [...new Set(run.shows.map(one => one.group))].map(group =>
    [group, run.shows.filter(one => one.group === group).map(one => [one.key, one.label])]);
  replace(byId('switches'),
    select('show', 'Show', groups, show.key, key => {
      const next = run.shows.find(one => one.key === key);
      change({show: key, as: viewsOf(run, next).includes(state.as) && state.as !== 'cells' ? state.as : 'maps'});
    }),
    element('div', {class: 'segments', role: 'group', 'aria-label': 'As'}, viewsOf(run, show).map(view => button(
      {'aria-pressed': String(view === state.as && !state.against), 'data-view': view}, VIEWS[view],
      () => change({as: view, against: null})))),
    DATA.runs.length < 2 ? null : select('against', 'Compare with', [['', 'no other run'],
      ...DATA.runs.filter(other => other !== run).map(other => [other.id, other.label])], state.against?.id ?? '',
    id => change({against: runOf(id), as: 'maps'})));
}

// The figures, the chosen cell and its evidence: drawn as wide as there is room.
function drawStage() {
  const {run, cell, detector} = state, show = showOf(run);
  drawShown(byId('figures'), state, show, onCell, onPoint);
  byId('legend').textContent = legendOf(state, show);
  drawChosen(run, cell, detector, name => change({detector: name}));
  for (const box of document.querySelectorAll('.scroll, .across')) { // the keyboard reaches what scrolls sideways
    if (box.scrollWidth > box.clientWidth + 1) box.setAttribute('tabindex', 0); else box.removeAttribute('tabindex');
  }
}

function onCell(what, at, cell, run, grid, value) {
  const {rows, columns} = grid.axes ?? axesOf(run), [i, j] = [rows[at[0]], columns[at[1]]];
  if (what === 'out') return hideTip();
  if (what === 'choose') return choose([run.frontLayers.indexOf(i), run.endLayers.indexOf(j)]);
  tip(cell, `${i} → ${j}`, [`${grid.title}: ${value === null ? why(run, grid, at) : four(value)}`]);
  document.querySelectorAll(`.heatmap ${cellAt(...at)}`).forEach(same => same.classList.add('same'));
}

function onPoint(what, {method, r, c, accuracy, ratio}, mark) {
  if (what === 'out') return hideTip();
  if (what === 'choose') return choose([r, c]);
  tip(mark, `${state.run.frontLayers[r]} → ${state.run.endLayers[c]}`, [DATA.methods[method],
    `accuracy: ${four(accuracy)}`, `Fréchet ratio: ${four(ratio)}`]);
}

// Chooses a cell, says what follows from it, and brings that into sight where it is below.
function choose(cell) {
  change({cell});
  byId('said').textContent = [byId('cell-title'), ...document.querySelectorAll('#cell .verdict')].map(
    part => part.textContent).join('. ');
  if (byId('cell').getBoundingClientRect().top > innerHeight * 0.8) reveal(byId('cell'));
}

function reveal(part) {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  part.scrollIntoView({behavior: calm ? 'auto' : 'smooth', block: 'start'});
}

function tip(mark, name, lines) {
  const box = byId('tip'), place = mark.getBoundingClientRect();
  replace(box, element('strong', {}, name), lines.map(line => element('span', {}, line)));
  box.hidden = false;
  const x = place.left + (place.width - box.offsetWidth) / 2, above = place.top - box.offsetHeight - 8;
  box.style.left = `${Math.max(8, Math.min(innerWidth - box.offsetWidth - 8, x)) + scrollX}px`;
  box.style.top = `${(above > 4 ? above : place.bottom + 8) + scrollY}px`;
}

function hideTip() {
  byId('tip').hidden = true;
  document.querySelectorAll('.same').forEach(cell => cell.classList.remove('same'));
}

// cells.csv, byte for byte.
function cellsCsv(run) {
  const quoted = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const lines = run.frontLayers.flatMap((i, r) => run.endLayers.flatMap((j, c) => run.quantities.map(
    ([method, metric]) => [...[i, j, method, metric].map(quoted), written(run.values[`${method}/${metric}`][r][c])])));
  const head = ['front_layer', 'end_layer', 'method', 'metric', 'value'];
  return [head, ...lines, []].map(line => line.join(',')).join('\n');
}

function drawEnd(run) {
  const copy = made => navigator.clipboard.writeText(DATA.citations).then(
    () => { made.textContent = 'Copied'; }, () => { made.textContent = 'Copy it from above'; });
  replace(byId('end'), element('h2', {}, 'How it was computed'), facts('lines', run.provenance),
    element('p', {class: 'downloads'}, button({class: 'quiet', id: 'csv'}, 'Download cells.csv',
      () => save(`stitchlab-${run.id}-cells.csv`, 'text/csv', cellsCsv(run)))),
    element('h2', {}, 'What the numbers mean'),
    DATA.definitions.map(([name, pairs]) => element('details', {class: 'defined'}, element('summary', {}, name),
      facts('lines', pairs))),
    element('h2', {}, 'To cite'), element('pre', {tabindex: 0, 'aria-label': 'BibTeX'}, DATA.citations),
    navigator.clipboard ? element('p', {class: 'downloads'}, button({class: 'quiet'}, 'Copy BibTeX', copy)) : null);
}

function drawTheme() {
  byId('theme').textContent = isDark() ? 'Light' : 'Dark';
  byId('theme').setAttribute('aria-label', isDark() ? 'Light colours' : 'Dark colours');
}

function begin() {
  const redraw = () => { drawTheme(); drawCards(); drawStage(); };
  let width = innerWidth;
  addEventListener('hashchange', () => {
    if (location.hash === state.written) return;
    state.written = location.hash;
    read();
    drawTheme();
    draw();
  });
  addEventListener('resize', () => {
    if (innerWidth !== width) requestAnimationFrame(drawStage); // a phone's bars change the height alone
    width = innerWidth;
  });
  addEventListener('keydown', event => { if (event.key === 'Escape') hideTip(); });
  byId('print').addEventListener('click', () => print());
  byId('theme').addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    write();
    redraw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  matchMedia('print').addEventListener('change', event => {
    document.querySelectorAll('.defined').forEach(part => { part.open = event.matches; });
    redraw();
  });
  read();
  drawTheme();
  draw();
}

begin();
