// Shared by all parts of the report: its data, elements, numbers, colours.

const DATA = JSON.parse(document.getElementById('data').textContent);
const SVG = 'http://www.w3.org/2000/svg';
const FONT = '"Source Sans 3", "Source Sans Pro", "Helvetica Neue", Helvetica, Arial, sans-serif';
const MUTED = {false: [201, 204, 212], true: [74, 79, 92]}; // a missing number, by dark: as --missing in report.css
const VEIL = 0.5; // opacity of the grey over columns where the detector is not believed
const byId = id => document.getElementById(id);

// Creates an element. Children are elements, texts (never parsed as HTML), lists of these, or null.
function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(target, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) target.setAttribute(name, value === true ? '' : value);
  }
  target.append(...children.flat(4).filter(child => child !== null && child !== ''));
  return target;
}

function replace(box, ...children) {
  box.replaceChildren();
  fill(box, {}, children);
}

// Converts a sentence of Markdown, in which ** means bold.
function sentence(text) {
  return text.split('**').map((part, k) => k % 2 ? element('strong', {}, part) : part);
}

// Rounds as Python does: a tie goes to the even digit.
function fixed(value, digits) {
  const size = Math.abs(value), exact = size.toFixed(Math.min(100, digits + 40));
  let text = size.toFixed(digits);
  const tie = /^50*$/.test(exact.slice(exact.indexOf('.') + 1 + digits));
  if (tie && Number(text.at(-1)) % 2) text = (Number(text) - 10 ** -digits).toFixed(digits);
  return value < 0 && Number(text) ? `−${text}` : text;
}

// Writes a number for a cell: two decimals if there is room, as papers print them.
function brief(value, narrow = false) {
  if (value === null) return '';
  const size = Math.abs(value);
  if (size >= 9999.5) return value.toExponential(0).replace('e+', 'e').replace('-', '−');
  const text = fixed(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
  return narrow && size < 1.005 ? text.replace('0.', '.').replace('1.00', '1.0') : text;
}

const four = value => value === null ? '–' : fixed(value, 4);

function two(value) {
  if (value === null) return '–';
  return Math.abs(value) < 100 ? fixed(value, 2) : fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, ',');
}

// Writes a float as Python does, and as it is in cells.csv.
function written(value) {
  if (value === null) return '';
  const [digits, power] = value.toExponential().split('e');
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value);
}

// Returns the matrix that a heatmap shows: a named one, the difference of two named ones, or one of its own.
function matrixOf(run, of) {
  if (typeof of === 'string') return run.values[of];
  if (!Array.isArray(of)) return of.matrix;
  const [first, second] = of.map(key => run.values[key]);
  return first.map((row, r) => row.map((value, c) => minus(value, second[r][c])));
}

function minus(first, second) {
  return first === null || second === null ? null : first - second;
}

// Returns the position of a number on a heatmap's colour scale, 0 to 1.
function place(grid, value) {
  const scaled = grid.log ? number => Math.log10(Math.max(number, grid.low)) : Number, low = scaled(grid.low);
  return Math.min(1, Math.max(0, (scaled(value) - low) / (scaled(grid.high) - low || 1)));
}

function onScale(name, share) {
  const stops = DATA.scales[name], next = Math.max(1, stops.findIndex(stop => stop[0] >= share));
  const [a, b] = [stops[next - 1], stops[next]], part = (share - a[0]) / (b[0] - a[0]);
  return [1, 2, 3].map(k => a[k] + part * (b[k] - a[k]));
}

const css = colour => `rgb(${colour.map(Math.round).join(',')})`;

// Returns black or white, whichever is easier to read on a colour (contrast as in WCAG 2).
function inkOn(colour) {
  const [r, g, b] = colour.map(part => part / 255).map(
    part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  return 1.05 / light > light / 0.05 ? '#ffffff' : '#000000';
}

const measuring = document.createElement('canvas').getContext('2d');

function widthOf(text, size) {
  measuring.font = `${size}px ${FONT}`;
  return measuring.measureText(text).width;
}

// Cuts a text to this width in pixels.
function cut(text, width, size) {
  if (widthOf(text, size) <= width) return text;
  let letters = Math.floor(text.length * width / widthOf(text, size));
  while (letters > 0 && widthOf(`${text.slice(0, letters)}…`, size) > width) letters--;
  return `${text.slice(0, letters)}…`;
}

// Returns round numbers for the ticks of an axis.
function rounds(low, high, count = 5) {
  const raw = (high - low) / count || 1, base = 10 ** Math.floor(Math.log10(raw)), ticks = [];
  const step = base * ([1, 2, 2.5, 5].find(k => k * base >= raw * 0.999) ?? 10);
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks;
}

const plain = value => String(value).replace('-', '−');

// Whether the page is dark: as the reader chose, else as the system is; never in print.
function isDark() {
  if (matchMedia('print').matches) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function save(name, type, text) {
  const link = element('a', {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
