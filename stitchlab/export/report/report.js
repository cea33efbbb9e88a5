// The report itself: the reader's choices, which are kept in the address, and the page that shows them.

// The choices: run, show, as, cell, against (a run or null), detector; written is the last written address.
const state = {};
const runOf = id => DATA.runs.find(run => run.id === id) ?? null;
const showOf = run => run.shows.find(show => show.key === state.show) ?? run.shows[0];
const ownCell = run => [run.frontLayers.indexOf(run.cell[0]), run.endLayers.indexOf(run.cell[1])];

// Reads the address; a choice that it lacks, or that does not exist, gets its default.
function read() {
  const address = new URLSearchParams(location.hash.slice(1)), run = runOf(address.get('run')) ?? DATA.runs[0];
  const cells = run.frontLayers.flatMap((i, r) => run.endLayers.map((j, c) => [`${i}:${j}`, [r, c]]));
  state.run = run;
  state.show = address.get('show');
  state.show = showOf(run).key;
  state.as = viewsOf(run, showOf(run)).includes(address.get('as')) ? address.get('as') : 'maps';
  state.against = address.get('against') === run.id ? null : runOf(address.get('against'));
  state.detector = address.get('detector') ?? '';
  state.cell = cells.find(([name]) => name === address.get('cell'))?.[1] ?? ownCell(run);
  if (['dark', 'light'].includes(address.get('theme'))) document.documentElement.dataset.theme = address.get('theme');
}

// Writes the address: every choice is an entry in the browser's history.
function write() {
  const {run, cell: [r, c], against, detector} = state, {theme} = document.documentElement.dataset;
  location.hash = new URLSearchParams({run: run.id, show: state.show, as: state.as,
    cell: `${run.frontLayers[r]}:${run.endLayers[c]}`, ...(against && {against: against.id}),
    ...(detector && {detector}), ...(theme && {theme})});
  state.written = location.hash;
}

// Takes choices and draws the page again; the keyboard focus stays where it was.
function change(choices) {
  Object.assign(state, choices);
  write();
  const focused = document.activeElement, card = focused?.classList.contains('card');
  const map = [...document.querySelectorAll('.heatmap')].indexOf(focused?.closest('.heatmap'));
  const same = focused?.id ? `#${focused.id}`
    : focused?.dataset?.view ? `[data-view=${focused.dataset.view}]` : '.card[aria-current]';
  draw();
  const next = map >= 0 ? document.querySelectorAll('.heatmap')[map]?.querySelector('[tabindex="0"]')
    : focused?.id || focused?.dataset?.view || card ? document.querySelector(same) : null;
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

// Makes a list of names, each with its sentence.
function facts(className, pairs) {
  return element('dl', {class: className}, pairs.map(([name, text]) => element('div', {}, element('dt', {}, name),
    element('dd', {}, text))));
}

function button(attributes, children, onClick) {
  const created = element('button', {type: 'button', ...attributes}, children);
  created.addEventListener('click', () => onClick(created));
  return created;
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

function select(id, label, options, chosen, onChoice) {
  const option = ([value, text]) => element('option', {value, selected: value === chosen}, text);
  const box = element('select', {id}, options.map(([name, members]) => Array.isArray(members)
    ? element('optgroup', {label: name}, members.map(option)) : option([name, members])));
  box.addEventListener('change', () => onChoice(box.value));
  return element('label', {}, element('span', {}, label), box);
}

function drawSwitches(run) {
  const show = showOf(run);
  const groups = [...new Set(run.shows.map(each => each.group))].map(group =>
    [group, run.shows.filter(each => each.group === group).map(each => [each.key, each.label])]);
  replace(byId('switches'),
    select('show', 'Show', groups, show.key, key => {
      const next = run.shows.find(each => each.key === key);
      change({show: key, as: viewsOf(run, next).includes(state.as) && state.as !== 'cells' ? state.as : 'maps'});
    }),
    element('div', {class: 'segments', role: 'group', 'aria-label': 'As'}, viewsOf(run, show).map(view => button(
      {'aria-pressed': String(view === state.as && !state.against), 'data-view': view}, VIEWS[view],
      () => change({as: view, against: null})))),
    DATA.runs.length < 2 ? null : select('against', 'Compare with', [['', 'no other run'],
      ...DATA.runs.filter(other => other !== run).map(other => [other.id, other.label])], state.against?.id ?? '',
    id => change({against: runOf(id), as: 'maps'})));
}

// Draws the figures, the chosen cell and its evidence in the available width.
function drawStage() {
  const {run, cell, detector} = state, show = showOf(run);
  drawShown(byId('figures'), state, show, onCell, onPoint);
  byId('legend').textContent = legendOf(state, show);
  drawChosen(run, cell, detector, name => change({detector: name}));
  for (const box of document.querySelectorAll('.scroll, .across')) { // for the keyboard
    if (box.scrollWidth > box.clientWidth + 1) box.setAttribute('tabindex', 0); else box.removeAttribute('tabindex');
  }
}

function onCell(action, at, cell, run, grid, value) {
  const {rows, columns} = grid.axes ?? axesOf(run), [i, j] = [rows[at[0]], columns[at[1]]];
  if (action === 'out') return hideTip();
  if (action === 'choose') return choose([run.frontLayers.indexOf(i), run.endLayers.indexOf(j)]);
  tip(cell, `${i} → ${j}`, [`${grid.title}: ${value === null ? why(run, grid, at) : four(value)}`]);
  document.querySelectorAll(`.heatmap ${cellAt(...at)}`).forEach(same => same.classList.add('same'));
}

function onPoint(action, {method, r, c, accuracy, ratio}, mark) {
  if (action === 'out') return hideTip();
  if (action === 'choose') return choose([r, c]);
  tip(mark, `${state.run.frontLayers[r]} → ${state.run.endLayers[c]}`, [DATA.methods[method],
    `accuracy: ${four(accuracy)}`, `Fréchet ratio: ${four(ratio)}`]);
}

// Chooses a cell, announces the conclusions from it, and scrolls to them if they are below the window.
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
  const copy = pressed => navigator.clipboard.writeText(DATA.citations).then(
    () => { pressed.textContent = 'Copied'; }, () => { pressed.textContent = 'Copy it from above'; });
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
    if (innerWidth !== width) requestAnimationFrame(drawStage); // a phone's bars change only the height
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
