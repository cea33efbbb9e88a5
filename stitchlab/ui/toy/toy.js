// Handles the reader's input: moves points, runs the training, and writes the state into the address.

// Steps of a running training, and the milliseconds between them.
const PACE = {every: 40, steps: 2};
const REDUCED_MOTION_PACE = {every: 1000, steps: 50};

const WRITE_DELAY_MS = 400; // from a change to the address
const REST_DELAY_MS = 700; // from the last change until it is announced and sent to Python
const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
const TURNS = {PageUp: (k, most) => k ? k - 1 : most, PageDown: (k, most) => k < most ? k + 1 : 0, Home: () => 0,
  End: (_, most) => most};
const mounted = new WeakMap();

// Streamlit calls this whenever the page is run; an existing figure is kept.
export default function ({data, parentElement, setStateValue}) {
  const root = parentElement.querySelector('.toy');
  if (!mounted.has(root)) mounted.set(root, new Toy(root, data));
  const toy = mounted.get(root);
  toy.send = text => setStateValue('address', text);
  toy.follow();
  return () => toy.leave();
}

class Toy {
  constructor(root, data) {
    Object.assign(this, {data, view: built(root, data), image: null, page: location.pathname,
      leaving: new AbortController()});
    const listen = (target, name, act) => target.addEventListener(name, act, {signal: this.leaving.signal});
    listen(root, 'click', event => this.press(event.target.closest('button')?.dataset));
    listen(root, 'input', event => this.set(event.target));
    listen(root, 'keydown', event => this.key(event));
    listen(root, 'pointerdown', event => this.take(event));
    listen(root, 'pointermove', event => this.move(event));
    for (const end of ['pointerup', 'pointercancel']) listen(root, end, () => this.release());
    for (const over of ['pointerover', 'focusin']) listen(root, over, event => this.point(event.target));
    for (const out of ['pointerleave', 'focusout']) listen(root, out, () => this.point(null));
    listen(window, 'popstate', () => {
      this.settle();
      this.follow();
    });
  }

  // Reads the state from the address, unless a change is not sent to Python yet: until then, Streamlit may restore an
  // old address.
  follow() {
    const text = new URLSearchParams(location.search).get(PARAMETER);
    if (this.writing || this.resting || text === this.written) return;
    this.written = text;
    this.state = read(text, this.data) ?? fresh(this.data);
    this.train();
  }

  // Stops timers, the training and a drag.
  settle() {
    clearInterval(this.running);
    clearTimeout(this.writing);
    clearTimeout(this.resting);
    cancelAnimationFrame(this.frame);
    this.running = this.writing = this.resting = this.frame = this.held = null;
  }

  // Tells whether the address is already that of another page; the figure stays on the screen for a moment.
  left() {
    return location.pathname !== this.page;
  }

  leave() {
    if (this.writing || this.resting) this.write();
    this.settle();
    this.leaving.abort();
  }

  train() {
    this.result = trained(this.state, this.data);
    this.draw();
  }

  draw() {
    const {state, result, data, view} = this, outcome = judged(state, result, data);
    const shown = SETS.filter(name => state.shown[name] ?? true).flatMap(name => outcome.points[name]);
    if (!this.held) this.extent = extentFor(shown); // a plane does not change its scale under the pointer
    show(view, state, result, outcome, data, this);
    view.find('[data-do=run]').textContent = this.running ? 'Pause' : 'Run';
  }

  // Takes changes: they are drawn at once, written soon, and sent once nothing changes any more.
  change(changes, retrain = true) {
    Object.assign(this.state, changes);
    if (retrain) this.train();
    else this.draw();
    this.writing ??= setTimeout(() => this.write(), WRITE_DELAY_MS);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), REST_DELAY_MS);
  }

  write() {
    clearTimeout(this.writing);
    this.writing = null;
    if (this.left()) return;
    const address = new URL(location.href);
    this.written = write(this.state, this.data);
    address.searchParams.set(PARAMETER, this.written);
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  rest() {
    if (this.running || this.held) return;
    this.resting = null;
    this.write();
    if (this.left()) return;
    this.view.find('[role=status]').textContent = this.view.find('.said').textContent;
    this.send(this.written);
  }

  // ------------------------------------------------------------ buttons and switches

  press({do: action, situation} = {}) {
    const {state, data} = this, first = fresh(data, situation ?? state.situation);
    if (['step', 'restart', 'situation'].includes(action)) this.pause();
    if (action === 'run') this[this.running ? 'pause' : 'run']();
    if (action === 'step') this.change({steps: Math.min(MOST_STEPS, state.steps + 1)}, false);
    if (action === 'restart') this.change({steps: 0}, false);
    if (action === 'seed') this.change({seed: (state.seed + 1) % MOST_SEEDS});
    if (action === 'back') this.change({front: first.front, native: first.native});
    if (action === 'situation') this.change({situation, steps: first.steps, front: first.front, native: first.native});
  }

  run() {
    const {every, steps} = matchMedia('(prefers-reduced-motion: reduce)').matches ? REDUCED_MOTION_PACE : PACE;
    if (this.state.steps === MOST_STEPS) this.state.steps = 0;
    this.running = setInterval(() => {
      this.change({steps: Math.min(MOST_STEPS, this.state.steps + steps)}, false);
      if (this.state.steps === MOST_STEPS) this.pause();
    }, every);
    this.draw();
  }

  pause() {
    if (!this.running) return;
    clearInterval(this.running);
    this.running = null;
    this.change({}, false);
  }

  set(field) {
    if (field.dataset.shown) this.change({shown: {...this.state.shown, [field.dataset.shown]: field.checked}}, false);
    else if (field.type === 'range') this.change({steps: Number(field.value)}, false);
    else this.change({rate: Number(field.value)});
  }

  // ------------------------------------------------------------ points

  put(point, at) {
    const {cloud, image} = point.dataset;
    this.change({[cloud]: this.state[cloud].map((old, k) => k === Number(image) ? at.map(snapped) : old)});
  }

  point(target) {
    const image = target?.closest?.('[data-image]')?.dataset.image;
    this.image = this.held ? Number(this.held.dataset.image) : image === undefined ? null : Number(image);
    if (this.result) this.draw();
  }

  take(event) {
    const point = event.target.closest('.point');
    if (!point || event.button) return;
    event.preventDefault();
    this.held = point;
    const [x, y] = this.under(event), [px, py] = this.state[point.dataset.cloud][point.dataset.image];
    this.grip = [px - x, py - y]; // so that the point does not jump to the pointer
    this.reach(point);
    point.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.held) return;
    this.moved = [this.held, this.under(event).map((value, axis) => value + this.grip[axis])];
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.put(...this.moved);
    });
  }

  // Returns the coordinates under a pointer, in the plane of the held point.
  under({clientX, clientY}) {
    const extent = this.held.dataset.cloud === 'front' ? FRONT_EXTENT : this.extent;
    const {x, y} = new DOMPoint(clientX, clientY).matrixTransform(this.held.ownerSVGElement.getScreenCTM().inverse());
    return back(extent, [x, y]);
  }

  release() {
    if (!this.held) return;
    this.held = null;
    this.change({}, false);
  }

  reach(point) {
    for (const other of this.view.points[point.dataset.cloud]) set(other, {tabindex: other === point ? 0 : -1});
    point.focus({preventScroll: true});
  }

  key(event) {
    const point = event.target.closest('.point'), {cloud, image} = point?.dataset ?? {};
    if (!point || event.ctrlKey || event.metaKey || event.altKey) return;
    const points = this.view.points[cloud], step = KEYS[event.key], turn = TURNS[event.key];
    const size = GRID * (event.shiftKey ? 5 : 1);
    if (step) this.put(point, this.state[cloud][image].map((value, axis) => value + step[axis] * size));
    else if (turn) this.reach(points[turn(Number(image), points.length - 1)]);
    else return;
    event.preventDefault();
  }
}
