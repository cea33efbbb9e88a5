// The views of a run: its heatmaps, all cells as points, a table, or the difference from another run.

const VIEWS = {maps: 'Side by side', difference: 'Difference', cells: 'All cells', table: 'Table'};
// Pixels.
const GAP = 28; // between two heatmaps
const MIN_WIDTH_OF_TWO = 560; // of two heatmaps side by side
const MAX_WIDTH = 720; // of a heatmap that stands alone
const MIN_CELL_OF_TWO = 22; // with smaller cells, heatmaps are stacked
const NOTHING_IN_COMMON = 'These two runs have nothing of that kind on common layers (layers with the same name).';

function viewsOf(run, show) {
  return Object.keys(VIEWS).filter(view => view === 'maps' || view === 'table'
    || (view === 'difference' && show.difference?.length)
    || (view === 'cells' && run.judged.frechet && run.methods.length));
}

// Draws the chosen view into the box. onCell and onPoint are called with what is done to a cell or a point.
function drawShown(box, {run, as, cell, against}, show, onCell, onPoint) {
  const width = Math.max(240, box.clientWidth);
  if (against) {
    const grids = between(run, against, show);
    replace(box, grids.length ? heatmaps(run, grids, width, cell, onCell) : element('p', {}, NOTHING_IN_COMMON));
  } else if (as === 'table') replace(box, tableOf(run, show));
  else if (as === 'cells') replace(box, scatter(run, Math.min(width, 860), cell, onPoint));
  else replace(box, heatmaps(run, as === 'difference' ? show.difference : show.maps, width, cell, onCell));
}

function heatmaps(run, grids, width, [r, c], onCell) {
  const half = Math.floor((width - GAP) / 2), axes = grids[0].axes ?? axesOf(run);
  const sideBySide = grids.length > 1 && width >= MIN_WIDTH_OF_TWO
    && room(axes, grids[0], half).cell >= MIN_CELL_OF_TWO;
  const widthOfEach = sideBySide ? half : Math.min(width, MAX_WIDTH);
  return grids.map(grid => {
    const at = [axes.rows.indexOf(run.frontLayers[r]), axes.columns.indexOf(run.endLayers[c])];
    const svg = heatmap(run, grid, axes, widthOfEach, at.includes(-1) ? null : at, onCell);
    return element('figure', {class: sideBySide ? 'map half' : 'map'}, element('h3', {}, grid.title),
      element('p', {class: 'sub'}, grid.subtitle), element('div', {class: 'across'}, svg));
  });
}

function tableOf(run, show) {
  const names = show.key === 'indices' ? run.indices.map(name => DATA.indices[name][0]) : upper(run.methods);
  return table(`${show.label}, cell by cell`, ['front layer', 'end layer', ...names], run.frontLayers.flatMap((i, r) =>
    run.endLayers.map((j, c) => [i, j, ...show.maps.map(grid => exact(matrixOf(run, grid.of)[r][c]))])), 'all');
}

// Says what the colours, the star and grey mean.
function legendOf({run, as, against}, show) {
  if (against) {
    return `Numbers of ${against.label} minus those of ${run.label}, on the layers whose names both have. `
      + correlations(run, against, show);
  }
  if (as === 'cells') {
    return 'A point for every cell and method, whatever is chosen above. Top right: accurate though far from native. '
      + `Pale: the ratio is not believed there. ${run.recipe}`;
  }
  const [starred, doubtful] = [grid => grid.better, grid => grid.doubtful.length].map(
    holds => as === 'maps' && show.maps.some(holds));
  return [`${show.label}: ${show.about}`, starred ? '★ best of its column.' : '',
    as === 'maps' && show.maps.some(grid => grid.byChance)
      ? 'Hollow ★: no better than the best of permuted images.' : '',
    doubtful ? '† and pale: the detector is not believed at that end layer.' : '',
    as === 'table' ? '' : 'Grey: not computed, or undefined.', run.recipe].filter(Boolean).join(' ');
}

// Says why a number is missing.
function why(run, grid, [r, c]) {
  const reason = Object.entries(run.undefined).find(([, places]) => places.some(
    ([quantity, row, column]) => quantity === grid.of && row === r && column === c));
  return reason ? `no number: ${reason[0]}` : 'not computed, or undefined';
}

// Returns the numbers of two runs cell by cell, on the layers that both have.
function common(run, other, of) {
  const rows = run.frontLayers.filter(name => other.frontLayers.includes(name));
  const columns = run.endLayers.filter(name => other.endLayers.includes(name));
  const numbersOf = from => rows.map(i => columns.map(j =>
    from.values[of][from.frontLayers.indexOf(i)][from.endLayers.indexOf(j)]));
  return {rows, columns, first: numbersOf(run), second: numbersOf(other)};
}

// Describes heatmaps of another run's numbers minus this one's; none if the two share no layers or no numbers.
function between(run, other, show) {
  const shared = show.maps.filter(grid => other.values[grid.of]).map(grid => ({grid, ...common(run, other, grid.of)}));
  if (!shared.length || !shared[0].rows.length || !shared[0].columns.length) return [];
  const matrices = shared.map(({first, second}) =>
    second.map((row, r) => row.map((value, c) => minus(value, first[r][c]))));
  const largest = several => Math.max(0, ...several.flat(2).filter(value => value !== null).map(Math.abs)) || 1;
  const names = (labels, layers, chosen) => chosen.map(name => labels[layers.indexOf(name)]);
  return shared.map(({grid, rows, columns}, k) => {
    const high = show.key === 'indices' ? largest([matrices[k]]) : show.span ?? largest(matrices);
    return {
      of: {matrix: matrices[k]}, title: `${grid.title}, difference`, low: -high, high, diverging: true, log: false,
      subtitle: `red: ${grid.better ? 'more similar' : 'higher'} in ${other.label} · colours from ${brief(-high)} to ${
        brief(high)}`,
      better: '', narrow: grid.narrow, doubtful: [], scale: grid.better === 'lower' ? 'RdBu' : 'RdBu_r',
      axes: {rows, columns, rowNames: names(run.frontNames.labels, run.frontLayers, rows),
        columnNames: names(run.endNames.labels, run.endLayers, columns), rowTitle: 'Front layer, of both runs',
        columnTitle: 'End layer, of both runs'},
    };
  });
}

// Writes Spearman's rank correlations of both runs' numbers.
function correlations(run, other, show) {
  const texts = show.maps.filter(grid => other.values[grid.of]).flatMap(grid => {
    const {first, second} = common(run, other, grid.of);
    const all = first.flatMap((row, r) => row.map((value, c) => [value, second[r][c]]));
    const pairs = all.filter(pair => !pair.includes(null)), rho = spearman(pairs);
    return rho === null ? [] : [`${grid.title} ${two(rho)} (${pairs.length} cells)`];
  });
  return texts.length ? `Rank correlation of cells: ${texts.join('; ')}.` : '';
}

function spearman(pairs) {
  const [a, b] = [0, 1].map(side => centredRanks(pairs.map(pair => pair[side])));
  const sum = (x, y) => x.reduce((all, value, k) => all + value * y[k], 0), size = Math.sqrt(sum(a, a) * sum(b, b));
  return pairs.length < 3 || !size ? null : sum(a, b) / size;
}

// Returns ranks minus their mean; equal values share the average of their ranks.
function centredRanks(values) {
  return values.map(value => {
    const below = values.filter(other => other < value).length, same = values.filter(other => other === value).length;
    return below + (same + 1) / 2 - (values.length + 1) / 2;
  });
}
