// What can be shown of a run: its heatmaps, all cells as points, a table, or what another run has more.

const VIEWS = {maps: 'Side by side', difference: 'Difference', cells: 'All cells', table: 'Table'};
const GAP = 28, TWO = 560; // pixels between two heatmaps; those from which two stand side by side
const WIDEST = 720; // a heatmap that stands alone
const SMALL = 22; // a cell's side below which heatmaps stand one above the other
const NOTHING = 'These two runs have nothing of that kind on common layers: layers are the same where names are.';

function viewsOf(run, show) {
  return Object.keys(VIEWS).filter(view => view === 'maps' || view === 'table'
    || (view === 'difference' && show.difference?.length)
    || (view === 'cells' && run.judged.frechet && run.methods.length));
}

// Draws what is chosen into the box. onCell and onPoint are called with what is done to a cell or to a point.
function drawShown(box, {run, as, cell, against}, show, onCell, onPoint) {
  const width = Math.max(240, box.clientWidth);
  if (against) {
    const grids = between(run, against, show);
    replace(box, grids.length ? heatmaps(run, grids, width, cell, onCell) : element('p', {}, NOTHING));
  } else if (as === 'table') replace(box, tableOf(run, show));
  else if (as === 'cells') replace(box, scatter(run, Math.min(width, 860), cell, onPoint));
  else replace(box, heatmaps(run, as === 'difference' ? show.difference : show.maps, width, cell, onCell));
}

function heatmaps(run, grids, width, [r, c], tell) {
  const half = Math.floor((width - GAP) / 2), axes = grids[0].axes ?? axesOf(run);
  const two = grids.length > 1 && width >= TWO && room(axes, grids[0], half).cell >= SMALL;
  const each = two ? half : Math.min(width, WIDEST);
  return grids.map(grid => {
    const at = [axes.rows.indexOf(run.frontLayers[r]), axes.columns.indexOf(run.endLayers[c])];
    const svg = heatmap(run, grid, axes, each, at.includes(-1) ? null : at, tell);
    return element('figure', {class: two ? 'map half' : 'map'}, element('h3', {}, grid.title), element('p', {class: 'sub'}, grid.subtitle),
      element('div', {class: 'across'}, svg));
  });
}

function tableOf(run, show) {
  const names = show.key === 'indices' ? run.indices.map(name => DATA.indices[name][0]) : upper(run.methods);
  return table(`${show.label}, cell by cell`, ['front layer', 'end layer', ...names], run.frontLayers.flatMap((i, r) =>
    run.endLayers.map((j, c) => [i, j, ...show.maps.map(grid => exact(matrixOf(run, grid.of)[r][c]))])), 'all');
}

// What the colours, the star and grey mean.
function legendOf({run, as, against}, show) {
  if (against) {
    return `Numbers of ${against.label} minus those of ${run.label}, on the layers that both have by name. `
      + correlations(run, against, show);
  }
  if (as === 'cells') {
    return 'A point for every cell and method, whatever is shown above. Top right: accurate though far from native. '
      + `Pale: the ratio does not deserve belief there. ${run.recipe}`;
  }
  const [starred, doubt] = [grid => grid.better, grid => grid.doubtful.length].map(
    holds => as === 'maps' && show.maps.some(holds));
  return [`${show.label}: ${show.about}`, starred ? '★ best of its column.' : '',
    as === 'maps' && show.maps.some(grid => grid.byChance) ? 'Hollow ★: no better than the best of permuted images.' : '',
    doubt ? '† and pale: the detector does not deserve belief at that end layer.' : '',
    as === 'table' ? '' : 'Grey: not computed, or undefined.', run.recipe].filter(Boolean).join(' ');
}

// Why a number is not there.
function why(run, grid, [r, c]) {
  const reason = Object.entries(run.undefined).find(([, places]) => places.some(
    ([what, row, column]) => what === grid.of && row === r && column === c));
  return reason ? `no number: ${reason[0]}` : 'not computed, or undefined';
}

// The numbers of two runs cell by cell, on the layers that both have.
function common(run, other, of) {
  const rows = run.frontLayers.filter(name => other.frontLayers.includes(name));
  const columns = run.endLayers.filter(name => other.endLayers.includes(name));
  const pick = from => rows.map(i => columns.map(j =>
    from.values[of][from.frontLayers.indexOf(i)][from.endLayers.indexOf(j)]));
  return {rows, columns, ours: pick(run), theirs: pick(other)};
}

// Heatmaps of another run's numbers minus this one's; none where they share no layers or no numbers.
function between(run, other, show) {
  const made = show.maps.filter(grid => other.values[grid.of]).map(grid => ({grid, ...common(run, other, grid.of)}));
  if (!made.length || !made[0].rows.length || !made[0].columns.length) return [];
  const matrices = made.map(({ours, theirs}) =>
    theirs.map((row, r) => row.map((value, c) => minus(value, ours[r][c]))));
  const most = several => Math.max(0, ...several.flat(2).filter(value => value !== null).map(Math.abs)) || 1;
  const names = (labels, layers, some) => some.map(name => labels[layers.indexOf(name)]);
  return made.map(({grid, rows, columns}, k) => {
    const high = show.key === 'indices' ? most([matrices[k]]) : show.span ?? most(matrices);
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

// Spearman's rank correlations of both runs' numbers, in words.
function correlations(run, other, show) {
  const said = show.maps.filter(grid => other.values[grid.of]).flatMap(grid => {
    const {ours, theirs} = common(run, other, grid.of);
    const all = ours.flatMap((row, r) => row.map((value, c) => [value, theirs[r][c]]));
    const pairs = all.filter(pair => !pair.includes(null)), rho = spearman(pairs);
    return rho === null ? [] : [`${grid.title} ${two(rho)} (${pairs.length} cells)`];
  });
  return said.length ? `Rank correlation of cells: ${said.join('; ')}.` : '';
}

function spearman(pairs) {
  const [a, b] = [0, 1].map(side => centredRanks(pairs.map(pair => pair[side])));
  const sum = (x, y) => x.reduce((all, value, k) => all + value * y[k], 0), size = Math.sqrt(sum(a, a) * sum(b, b));
  return pairs.length < 3 || !size ? null : sum(a, b) / size;
}

// Ranks, equals sharing their average, from which their mean is taken.
function centredRanks(values) {
  return values.map(value => {
    const below = values.filter(other => other < value).length, same = values.filter(other => other === value).length;
    return below + (same + 1) / 2 - (values.length + 1) / 2;
  });
}
