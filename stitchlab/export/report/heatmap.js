// Draws a grid as a heatmap: rows are front layers, columns end layers; cells react to pointer and keyboard.

// Pixels.
const LABEL = 12.5, AXIS = 13; // font sizes
const MAX_CELL = 62, MIN_CELL = 12; // side of a cell
const BAR_WIDTH = 58; // of the colour bar with its ticks
const MIN_NUMBER_SIZE = 8.5; // font size
const KEYS = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -Infinity],
  End: [0, Infinity], PageUp: [-Infinity, 0], PageDown: [Infinity, 0]};

// Returns the layers of a run, and the titles of its axes.
function axesOf(run) {
  const title = (side, network, names) => `${side} layer of ${network}${names.elided && ` (… is ${names.elided})`}`;
  return {rows: run.frontLayers, columns: run.endLayers, rowNames: run.frontNames.labels,
    columnNames: run.endNames.labels, rowTitle: title('Front', run.front, run.frontNames),
    columnTitle: title('End', run.end, run.endNames)};
}

// Returns the sizes of the parts within a width. The names of columns are turned if they do not fit.
function room(axes, grid, width) {
  const columns = axes.columnNames.map((name, c) => grid.doubtful.includes(c) ? `${name} †` : name);
  const widest = names => Math.max(...names.map(name => widthOf(name, LABEL)));
  let left = widest(axes.rowNames) + 34;
  const cell = Math.max(MIN_CELL, Math.min(MAX_CELL, Math.floor((width - left - BAR_WIDTH) / columns.length)));
  const turned = widest(columns) <= cell - 6 ? 0 : cell >= 16 ? 45 : 90;
  const below = 34 + (turned ? widest(columns) * (turned === 45 ? 0.71 : 1) + 8 : LABEL);
  if (turned === 45) left = Math.max(left, widthOf(columns[0], LABEL) * 0.71 - cell / 2 + 4);
  const across = cell * columns.length, down = cell * axes.rows.length, top = 6;
  return {left, top, cell, columns, turned, across, down, height: top + down + below,
    width: Math.max(left + across + BAR_WIDTH, Math.min(width, 260))};
}

// Draws a heatmap; chosen is [row, column] or null. onCell is called with what was done to a cell.
function heatmap(run, grid, axes, width, chosen, onCell) {
  const matrix = matrixOf(run, grid.of), size = room(axes, grid, width), best = bestOfColumns(matrix, grid.better);
  const svg = shape('svg', {viewBox: `0 0 ${size.width} ${size.height}`, width: size.width, height: size.height,
    role: 'grid', 'aria-label': `${grid.title}. Rows are front layers, columns end layers.`, class: 'heatmap',
    'aria-rowcount': axes.rows.length, 'aria-colcount': axes.columns.length});
  const state = {run, grid, matrix, axes, size, best, onCell, dark: isDark(), font: fontOf(matrix, grid, size)};
  drawAxes(svg, axes, size);
  axes.rows.forEach((_, r) => svg.append(shape('g', {role: 'row'}, axes.columns.map((_, c) => drawCell(state, r, c)))));
  drawBar(svg, grid, size);
  const start = svg.querySelector(chosen ? cellAt(...chosen) : cellAt(0, 0));
  start.setAttribute('tabindex', 0);
  if (chosen) {
    start.setAttribute('aria-selected', 'true');
    svg.append(shape('rect', {class: grid.diverging ? 'frame middled' : 'frame', width: size.cell - 1,
      height: size.cell - 1, rx: 2, x: size.left + chosen[1] * size.cell, y: size.top + chosen[0] * size.cell}));
  }
  svg.addEventListener('keydown', event => onKey(svg, axes, event));
  return svg;
}

const cellAt = (row, column) => `[data-row="${row}"][data-column="${column}"]`;

// Returns the font size of numbers; 0 if they would not be legible.
function fontOf(matrix, grid, size) {
  const widest = Math.max(0.1, ...matrix.flat().map(value => widthOf(brief(value, grid.narrow), 100) / 100));
  const fits = Math.min(13, (size.cell - 5) / widest, size.cell * 0.42);
  return fits >= MIN_NUMBER_SIZE ? fits : 0;
}

function drawAxes(svg, axes, {left, top, cell, columns, turned, across, down, width, height}) {
  const add = (text, full, attributes) => svg.append(shape('text', attributes, shape('title', {}, full), text));
  axes.rowNames.forEach((name, r) => add(name, axes.rows[r], {class: 'label', x: left - 8, y: top + (r + 0.5) * cell,
    'text-anchor': 'end', 'dominant-baseline': 'central'}));
  columns.forEach((name, c) => {
    const x = left + (c + 0.5) * cell, y = top + down + (turned ? 12 : 16);
    add(name, axes.columns[c], {class: 'label', x, y, 'text-anchor': turned ? 'end' : 'middle',
      transform: turned ? `rotate(${-turned} ${x} ${y - 4})` : null});
  });
  const beside = Math.max(top + down / 2, top + 60), columnTitle = cut(axes.columnTitle, width - 8, AXIS);
  const half = widthOf(columnTitle, AXIS) / 2;
  add(cut(axes.rowTitle, Math.max(down, 120), AXIS), axes.rowTitle, {class: 'axis', 'text-anchor': 'middle',
    transform: `translate(13 ${beside}) rotate(-90)`});
  add(columnTitle, axes.columnTitle, {class: 'axis', y: height - 6, 'text-anchor': 'middle',
    x: Math.min(width - half - 2, Math.max(left + across / 2, half))});
}

function drawCell({run, grid, matrix, axes, size, best, onCell, dark, font}, r, c) {
  const value = matrix[r][c], x = size.left + c * size.cell, y = size.top + r * size.cell, side = size.cell - 1;
  const doubtful = grid.doubtful.includes(c), starred = best[c].includes(r);
  const hollow = starred && (grid.byChance ?? []).includes(c);
  const colour = value === null ? MUTED[dark] : onScale(grid.scale, place(grid, value));
  const behind = doubtful ? colour.map((part, k) => (1 - VEIL) * part + VEIL * MUTED[dark][k]) : colour;
  const label = [`${axes.rows[r]} to ${axes.columns[c]}: ${value === null ? 'none' : four(value)}`,
    ...(starred ? [hollow ? 'best of its column, but no better than permuted images' : 'best of its column'] : []),
    ...(doubtful ? ['not believed'] : [])].join(', ');
  const number = font && value !== null ? shape('text', {class: 'number', x: x + side / 2, y: y + side / 2,
    style: `font-size:${font}px;fill:${inkOn(behind)}`}, brief(value, grid.narrow)) : null;
  const cell = shape('g', {role: 'gridcell', class: 'one', 'data-row': r, 'data-column': c, tabindex: -1,
    'data-value': value === null ? null : written(value), 'aria-selected': 'false', 'aria-colindex': c + 1,
    'aria-label': label}, shape('rect', {x, y, width: side, height: side, fill: css(behind)}), number,
  starred ? star(x + size.cell * 0.85, y + size.cell * 0.15, size.cell >= 30 ? 5 : 3.6) : null,
  hollow ? star(x + size.cell * 0.85, y + size.cell * 0.15, (size.cell >= 30 ? 5 : 3.6) * HOLLOW, css(behind)) : null,
  shape('rect', {class: 'ring', x: x + 1, y: y + 1, width: side - 2, height: side - 2, rx: 1.5}));
  for (const [event, action] of [['pointerenter', 'over'], ['pointerleave', 'out'], ['focus', 'over'], ['blur', 'out'],
    ['click', 'choose'], ['choose', 'choose']]) {
    cell.addEventListener(event, () => onCell(action, [r, c], cell, run, grid, value));
  }
  return cell;
}

const HOLLOW = 0.62; // size of the hole in a hollow star, as a share of the star

function star(x, y, radius, fill = null) {
  const points = Array.from({length: 10}, (_, k) => {
    const distance = k % 2 ? radius * 0.42 : radius, angle = Math.PI * (k / 5 - 0.5);
    return `${(x + distance * Math.cos(angle)).toFixed(2)},${(y + distance * Math.sin(angle)).toFixed(2)}`;
  });
  return shape('polygon', fill ? {fill, points: points.join(' ')} : {class: 'star', points: points.join(' ')});
}

let bars = 0; // drawn so far: each bar's gradient needs an id of its own

function drawBar(svg, grid, {left, top, across, down}) {
  const x = left + across + 10, height = Math.max(80, Math.min(220, down)), name = `bar${bars++}`;
  svg.append(shape('linearGradient', {id: name, x1: 0, x2: 0, y1: 1, y2: 0}, DATA.scales[grid.scale].map(
    ([at, ...colour]) => shape('stop', {offset: at, 'stop-color': css(colour)}))));
  svg.append(shape('rect', {x, y: top, width: 10, height, fill: `url(#${name})`}));
  let lastY = Infinity;
  for (const tick of grid.log ? grid.ticks : rounds(grid.low, grid.high)) {
    const y = top + height * (1 - place(grid, tick));
    if (Math.abs(lastY - y) < 13) continue;
    lastY = y;
    svg.append(shape('text', {class: 'tick', x: x + 15, y, 'dominant-baseline': 'central'},
      plain(Number(tick.toPrecision(3)))));
  }
}

// Returns the best rows of each column: all if several are equal, none if the column has no value.
function bestOfColumns(matrix, better) {
  return matrix[0].map((_, c) => {
    const column = matrix.map(row => row[c]), defined = column.filter(value => value !== null);
    const best = better === 'higher' ? Math.max(...defined) : Math.min(...defined);
    return better ? column.flatMap((value, r) => value === best ? [r] : []) : [];
  });
}

// Moves between cells with the arrow keys; Enter chooses a cell.
function onKey(svg, axes, event) {
  const cell = event.target.closest('[role=gridcell]'), step = KEYS[event.key];
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Enter' || event.key === ' ') cell.dispatchEvent(new Event('choose'));
  else if (step) {
    const [r, c] = [Number(cell.dataset.row) + step[0], Number(cell.dataset.column) + step[1]];
    const next = svg.querySelector(cellAt(Math.min(axes.rows.length - 1, Math.max(0, r)),
      Math.min(axes.columns.length - 1, Math.max(0, c))));
    svg.querySelectorAll('[tabindex="0"]').forEach(other => other.setAttribute('tabindex', -1));
    next.setAttribute('tabindex', 0);
    next.focus();
  } else return;
  event.preventDefault();
}
