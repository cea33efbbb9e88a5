// The chosen cell: conclusions, its numbers, what detectors say, histograms of scores, the trajectory.

const MARKS = {similar: '✓', 'no evidence': '!', 'no claim': '–', open: '?'};
const HOW_TO_READ = 'AUROC, with native as the positive class: 0.5 cannot be told from native, 1 out of distribution. '
  + 'Fréchet ratio: 0 is native. In small type: 95 % bootstrap intervals.';

// Draws the cell's box, and its evidence in the available width. choose is called with the name of a detector.
function drawChosen(run, [r, c], detector, choose) {
  const texts = run.said[r][c], name = `${run.frontLayers[r]} → ${run.endLayers[c]}`;
  replace(byId('cell'), element('h3', {id: 'cell-title'}, name),
    run.methods.filter(method => texts[method]).map(method => verdict(method, ...texts[method])),
    texts.decides ? note(`Decided by: ${DATA.detectors[texts.decides].label}.`) : null,
    element('div', {class: 'halves'}, numbers(run, r, c), indexNumbers(run, r, c)), reasonsOf(run, r, c));
  const judged = Object.keys(run.judged).filter(detector => run.judged[detector].belief[c][0] !== null);
  const epochs = run.walks[`${r},${c}`], hasEvidence = judged.length || epochs, box = byId('evidence');
  box.hidden = !run.methods.length;
  const width = Math.max(240, Math.min(460, box.clientWidth >= 700 ? (box.clientWidth - 40) / 2 : box.clientWidth));
  replace(box, element('h3', {id: 'evidence-title'}, `In or out of distribution: ${name}`),
    hasEvidence ? null : note(`No detector has judged this ${Object.keys(run.judged).length ? 'column' : 'run'} yet.`),
    texts.remarks ? element('p', {class: 'remarks'}, texts.remarks.join(' ')) : null,
    hasEvidence ? element('div', {class: 'halves'},
      element('div', {}, judged.length ? judgements(run, r, c, judged) : null),
      element('div', {}, scoresOf(run, r, c, detector, width, choose), epochsOf(run, epochs, detector, width))) : null);
}

function verdict(method, text, tone) {
  return element('p', {class: `verdict ${tone.replace(' ', '-')}`},
    element('span', {class: 'mark', 'aria-hidden': 'true'}, MARKS[tone]),
    element('span', {}, element('strong', {}, `${DATA.methods[method]}: `), text));
}

const note = text => element('p', {class: 'note'}, text);
const upper = methods => methods.map(method => method.toUpperCase());

// Makes a table. A row is its name, or {text, dim} for a pale row, followed by its cells: elements or texts.
function table(caption, head, rows, name = '') {
  const heads = head.map(text => text ? element('th', {scope: 'col'}, text) : element('td', {}));
  const body = rows.map(([first, ...cells]) => element('tr', {class: first.dim ? 'dim' : null},
    element('th', {scope: 'row'}, first.text ?? first),
    cells.map(cell => cell instanceof Element ? cell : element('td', {}, cell))));
  return element('div', {class: 'scroll', role: 'region', 'aria-label': caption}, element('table', {class: name},
    element('caption', {class: 'unseen'}, caption), element('thead', {}, element('tr', {}, heads)),
    element('tbody', {}, body)));
}

// Makes a cell with a number, all its digits as a tooltip, and the ends of its interval in small type.
function exact(value, text = four(value), ends = null) {
  const digits = value === null ? null : written(value);
  return element('td', {'data-value': digits, title: digits}, text,
    ends ? element('small', {}, `${two(ends[0])}–${two(ends[1])}`) : null);
}

function numbers(run, r, c) {
  if (!run.methods.length) return null;
  const rows = Object.entries(DATA.metrics).map(([metric, label]) =>
    [label, ...run.methods.map(method => exact(run.values[`${method}/${metric}`][r][c]))]);
  return element('div', {}, element('h4', {}, 'Stitched networks'),
    table('Numbers of both methods', ['', ...upper(run.methods)], rows),
    run.own === null ? null : note(`For scale: the end network alone has accuracy ${four(run.own)}.`));
}

function indexNumbers(run, r, c) {
  if (!run.indices.length) return null;
  const chanceColumns = run.indices.some(name => `${name}/p` in run.values) ? ['null95', 'calibrated', 'p'] : [];
  const rows = run.indices.map(name => {
    const [label, metric] = DATA.indices[name];
    return [label, exact(run.values[`${name}/${metric}`][r][c]),
      ...chanceColumns.map(number => exact(run.values[`${name}/${number}`]?.[r][c] ?? null)),
      metric === 'similarity' ? 'higher' : 'lower'];
  });
  const head = ['', 'value', ...(chanceColumns.length ? ['95 % of chance', 'calibrated', 'p'] : []), 'more similar is'];
  return element('div', {}, element('h4', {}, 'Similarity indices'),
    table('Similarity indices', head, rows, 'indices'));
}

// Whether a detector is not believed at an end layer.
const isDoubtful = (run, detector, c) => run.judged[detector].belief[c][0] === false;

function judgements(run, r, c, names) {
  const rows = names.map(name => {
    const results = run.judged[name], {label, metrics: [metric]} = DATA.detectors[name];
    const doubtful = isDoubtful(run, name, c);
    const methods = run.methods.map(method => {
      const value = run.values[`${method}/${name}/${metric}`][r][c];
      return exact(value, two(value), results.ends[method][r][c]);
    });
    const tests = ['native', 'outliers'].map(set => {
      const [value, low, high] = results[set][c];
      return exact(value, two(value), low === null ? null : [low, high]);
    });
    return [{text: doubtful ? `${label} †` : label, dim: doubtful}, ...methods, ...tests];
  });
  const doubts = names.filter(name => isDoubtful(run, name, c)).map(
    name => element('li', {}, `${DATA.detectors[name].label}: ${run.judged[name].belief[c][1]}`));
  const head = ['', ...upper(run.methods), 'held-out native', 'known outliers'];
  return [table('What each detector says', head, rows, 'verdicts'),
    doubts.length ? [note(`† Not believed at ${run.endLayers[c]}:`), element('ul', {class: 'note'}, doubts)] : null,
    note(HOW_TO_READ), further(run, r, c, names)];
}

// Makes a closed section with all other numbers of the detectors.
function further(run, r, c, names) {
  const rows = names.flatMap(name => DATA.detectors[name].metrics.slice(1).map(metric => {
    const values = run.methods.map(method => run.values[`${method}/${name}/${metric}`][r][c]);
    return [{text: `${DATA.detectors[name].label}, ${DATA.verdicts[metric]}`, dim: isDoubtful(run, name, c)},
      ...values.map(value => exact(value, two(value)))];
  }));
  return rows.length ? element('details', {}, element('summary', {}, 'AUPR, FPR95 and shift of every detector'),
    table('Further numbers of detectors', ['', ...upper(run.methods)], rows)) : null;
}

function scoresOf(run, r, c, detector, width, choose) {
  const names = Object.keys(run.judged).filter(name => run.judged[name].scores[c]);
  if (!names.length) return null;
  const firstBelieved = names.find(name => run.judged[name].belief[c][0]);
  const shown = names.includes(detector) ? detector : firstBelieved ?? names[0];
  const dagger = name => isDoubtful(run, name, c) ? ' †' : '';
  const box = element('select', {id: 'detector', 'aria-label': 'Detector whose scores are shown'}, names.map(name =>
    element('option', {value: name, selected: name === shown}, DATA.detectors[name].label + dagger(name))));
  box.addEventListener('change', () => choose(box.value));
  return [element('div', {class: 'headed'}, element('h4', {}, 'Scores of test images'), box),
    histogram(run, shown, r, c, width)];
}

function epochsOf(run, epochs, detector, width) {
  const names = Object.keys(epochs?.told ?? {});
  if (!names.length) return null;
  const shown = [detector, 'frechet', ...names].find(name => names.includes(name));
  return [element('h4', {}, 'Task loss matching, epoch by epoch'), trajectory(run, epochs, shown, width)];
}

function reasonsOf(run, r, c) {
  const reasons = Object.entries(run.undefined).flatMap(([reason, places]) => {
    const here = places.filter(([, row, column]) => row === r && column === c)
      .map(([quantity]) => quantity.replace('/', ' '));
    return here.length ? [`${here.join(', ')}: ${reason}`] : [];
  });
  for (const [name, judged] of Object.entries(run.judged)) {
    for (const [method, row, column, reason] of judged.reasons) {
      if (row !== r || column !== c) continue;
      reasons.push(`${DATA.detectors[name].label} of ${method.toUpperCase()}: ${reason}`);
    }
  }
  return reasons.length ? [element('h4', {}, 'No number'),
    element('ul', {class: 'note reasons'}, reasons.map(text => element('li', {}, text)))] : null;
}
