// The grid: one cell a task on a canvas, or one a block of tasks where there are too many.
//
// To a screen reader and a keyboard it is a slider: its value is a task, and its text says what that task does.
import { count, DONE, duration, element, FAILED, item, NOT_RUN, RETRYING, RUNNING, STATES, THROTTLED, WAITING, WORDS } from "./words.js";

const TALLEST = 232;
const LARGEST = 16;
const SMALLEST = 4;
/** Blocks are worth a closer look: larger cells. No narrower grid than one of them is drawn. */
const BLOCK_SIDE = 8;

export class Grid {
  /**
   * @param {import("./store.js").Store} store
   * @param {(task: number, byKeyboard: boolean) => void} open called with the task that a person wants to see
   */
  constructor(store, open) {
    this._store = store;
    this._open = open;
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this._cursor = element("div", { class: "lm-cursor", hidden: "" });
    this._tip = element("div", { class: "lm-tip", hidden: "" });
    this.root = element(
      "div",
      { class: "lm-grid", tabindex: "0", role: "slider", "aria-label": "Task", "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0 },
      this.canvas,
      this._cursor,
      this._tip,
    );
    this.legend = element("ul", { class: "lm-legend" });
    this.hint = element("p", { class: "lm-hint" });
    this.at = 0;
    this._side = LARGEST;
    this._columns = 1;
    this._block = 1;
    this._width = 0;
    this._cells = 0;
    this._ratio = 1;
    this.root.addEventListener("keydown", (event) => this._key(event));
    this.root.addEventListener("focus", () => this._point(this.at, true));
    this.root.addEventListener("blur", () => this._leave());
    this.root.addEventListener("pointermove", (event) => this._hover(event));
    this.root.addEventListener("pointerleave", () => this._leave());
    this.root.addEventListener("click", (event) => {
      const task = this._taskAt(event);
      if (task >= 0) this._choose(task, false);
    });
  }

  /** Finds the largest cells that fit; returns whether anything is different. */
  layout() {
    const width = Math.floor(this.root.clientWidth);
    const tasks = this._store.taskCount;
    if (width < BLOCK_SIDE || !tasks) return false;
    let [side, block] = [LARGEST, 1];
    const fits = () => Math.ceil(Math.ceil(tasks / block) / Math.floor(width / side)) * side <= TALLEST;
    while (side > SMALLEST && !fits()) side -= 1;
    while (!fits()) block += 1;
    if (block > 1) {
      side = BLOCK_SIDE;
      while (!fits()) block += 1;
    }
    const columns = Math.floor(width / side);
    const cells = Math.ceil(tasks / block);
    const ratio = window.devicePixelRatio || 1;
    const key = [width, tasks, side, block, ratio].join();
    if (key === this._key_) return false;
    this._key_ = key;
    [this._side, this._columns, this._block, this._width, this._cells, this._ratio] = [side, columns, block, width, cells, ratio];
    const height = Math.ceil(cells / columns) * side;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.root.setAttribute("aria-valuemax", String(tasks - 1));
    return true;
  }

  /**
   * Draws the cells of some tasks, or all.
   * @param {number[][] | null} changed
   */
  draw(changed) {
    const isNew = this.layout();
    if (!this._store.taskCount || !this._width) return;
    const palette = this._palette();
    const context = this.canvas.getContext("2d", { alpha: true });
    context.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
    if (isNew || changed === null || palette !== this._painted) {
      this._painted = palette;
      context.clearRect(0, 0, this._width, this.canvas.height);
      this._draw(context, 0, this._cells);
    } else {
      for (const [first, after] of changed) {
        this._draw(context, Math.floor(first / this._block), Math.ceil(after / this._block));
      }
    }
    this._legend();
  }

  _draw(context, from, to) {
    const { _side: side, _columns: columns, _block: block } = this;
    const states = this._store.states;
    for (let cell = from; cell < to; cell += 1) {
      const x = (cell % columns) * side;
      const y = Math.floor(cell / columns) * side;
      context.clearRect(x, y, side, side);
      if (block === 1) this._sprite(context, states[cell], x, y);
      else this._mixed(context, cell, x, y);
    }
  }

  _sprite(context, state, x, y) {
    const size = this._side * this._ratio;
    context.drawImage(this._sprites, state * size, 0, size, size, x, y, this._side, this._side);
  }

  /** A block is filled from below with what is done; its red corner is the share that failed; running tasks are shown too. */
  _mixed(context, cell, x, y) {
    const { states } = this._store;
    const tally = new Array(STATES.length).fill(0);
    const end = Math.min(states.length, (cell + 1) * this._block);
    for (let task = cell * this._block; task < end; task += 1) tally[states[task]] += 1;
    const all = end - cell * this._block;
    const rest = [RUNNING, RETRYING, THROTTLED, NOT_RUN, WAITING].find((state) => tally[state]) ?? DONE;
    this._sprite(context, rest, x, y);
    const inner = this._side - 1;
    if (tally[DONE]) {
      const height = Math.max(1, Math.round((inner * (tally[DONE] + tally[FAILED])) / all));
      context.fillStyle = this._colors[DONE];
      context.fillRect(x, y + inner - height, inner, height);
    }
    if (tally[FAILED] === all) this._sprite(context, FAILED, x, y);
    else if (tally[FAILED]) this._corner(context, (inner * inner * tally[FAILED]) / all, x, y);
  }

  /** An area of a block in the color of failures, set off by a line, and never too small to be seen. */
  _corner(context, area, x, y) {
    const inner = this._side - 1;
    const tall = Math.max(3, Math.ceil(area / inner));
    const wide = Math.max(3, Math.min(inner, Math.round(area / tall)));
    context.fillStyle = this._ink;
    context.fillRect(x, y, Math.min(inner, wide + 1), Math.min(inner, tall + 1));
    context.fillStyle = this._colors[FAILED];
    context.fillRect(x, y, wide, tall);
  }

  /** Reads the theme's colors, and paints one picture of each state if they are new. */
  _palette() {
    const style = getComputedStyle(this.root);
    const colors = STATES.map((state) => style.getPropertyValue(`--lm-${state.key}`).trim());
    const ink = style.getPropertyValue("--lm-on-failed").trim();
    const palette = [...colors, ink, this._side, this._ratio].join();
    if (palette !== this._painted) {
      this._colors = colors;
      this._ink = ink;
      const size = this._side * this._ratio;
      this._sprites = document.createElement("canvas");
      this._sprites.width = Math.ceil(size * STATES.length);
      this._sprites.height = Math.ceil(size);
      const context = this._sprites.getContext("2d");
      STATES.forEach((_, state) => {
        context.setTransform(this._ratio, 0, 0, this._ratio, state * size, 0);
        paint(context, state, this._side - 1, colors[state], ink);
      });
    }
    return palette;
  }

  _legend() {
    const states = this._store.states;
    const tally = new Array(STATES.length).fill(0);
    for (let task = 0; task < states.length; task += 1) tally[states[task]] += 1;
    const shown = STATES.map((state, number) => ({ ...state, number })).filter((state) => tally[state.number]);
    const key = shown.map((state) => state.key).join() + this._painted;
    if (key !== this._legendKey) {
      this._legendKey = key;
      this.legend.replaceChildren(
        ...shown.map((state) => {
          const sample = element("canvas", { width: 12 * this._ratio, height: 12 * this._ratio, "aria-hidden": "true" });
          const context = sample.getContext("2d");
          context.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
          const ink = getComputedStyle(this.root).getPropertyValue("--lm-on-failed").trim();
          paint(context, state.number, 12, this._colors[state.number], ink);
          return element("li", {}, sample, element("span", { text: state.word }), element("b", { text: "" }));
        }),
      );
    }
    shown.forEach((state, at) => {
      const number = this.legend.children[at].querySelector("b");
      if (number.textContent !== count(tally[state.number])) number.textContent = count(tally[state.number]);
    });
    const failed = tally[FAILED] ? WORDS.redCorner : "";
    const per = this._block === 1 ? WORDS.oneTask : `One cell is ${count(this._block)} tasks.${failed}`;
    const text = `${per} Click one, or use the arrow keys and Enter.`;
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }

  _taskAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this._side);
    const row = Math.floor((event.clientY - box.top) / this._side);
    if (column < 0 || column >= this._columns || row < 0) return -1;
    const task = (row * this._columns + column) * this._block;
    return task < this._store.taskCount ? task : -1;
  }

  _hover(event) {
    const task = this._taskAt(event);
    if (task < 0) this._leave();
    else this._point(task, false);
  }

  _key(event) {
    const [step, row] = [this._block, this._columns * this._block];
    const moves = {
      ArrowLeft: -step, ArrowRight: step, ArrowUp: -row, ArrowDown: row, PageUp: -5 * row, PageDown: 5 * row,
      Home: -Infinity, End: Infinity,
    };
    if (event.key === "Enter" || event.key === " ") this._choose(this.at, true);
    else if (event.key in moves) {
      this.at = Math.max(0, Math.min(this._store.taskCount - 1, this.at + moves[event.key]));
      this._point(this.at, true);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook moves from cell to cell with the same keys
  }

  _choose(task, byKeyboard) {
    const chosen = this._worst(task);
    this.at = chosen;
    this._point(chosen, true);
    this._open(chosen, byKeyboard);
  }

  /** Marks a task that is looked at elsewhere. */
  show(task) {
    this.at = task;
    this._point(task, true);
    this._tip.hidden = true;
  }

  /** The task of a cell that is worth a look first: one that failed, else one that is under way, else the first. */
  _worst(task) {
    const start = Math.floor(task / this._block) * this._block;
    const states = this._store.states.subarray(start, Math.min(this._store.taskCount, start + this._block));
    const found = [FAILED, RETRYING, THROTTLED, RUNNING].map((state) => states.indexOf(state)).find((at) => at >= 0);
    return start + (found ?? 0);
  }

  /** Marks a task's cell and says what it does. */
  _point(task, isKeyboard) {
    if (!this._store.taskCount) return;
    const cell = Math.floor(task / this._block);
    const x = (cell % this._columns) * this._side;
    const y = Math.floor(cell / this._columns) * this._side;
    const said = this.description(task);
    Object.assign(this._cursor.style, { left: `${x - 1}px`, top: `${y - 1}px`, width: `${this._side + 1}px`, height: `${this._side + 1}px` });
    this._cursor.hidden = false;
    this._tip.textContent = said;
    this._tip.hidden = false;
    const left = Math.max(0, Math.min(x, this._width - this._tip.offsetWidth));
    const above = y - this._tip.offsetHeight - 6;
    Object.assign(this._tip.style, { left: `${left}px`, top: `${above >= -28 ? above : y + this._side + 6}px` });
    if (isKeyboard) {
      this.root.setAttribute("aria-valuenow", String(task));
      this.root.setAttribute("aria-valuetext", said);
    }
  }

  _leave() {
    if (document.activeElement === this.root && !this.root.matches(":hover")) return;
    this._cursor.hidden = true;
    this._tip.hidden = true;
  }

  /** @param {number} task */
  description(task) {
    const { states, seconds } = this._store;
    if (this._block > 1) {
      const start = Math.floor(task / this._block) * this._block;
      const end = Math.min(states.length, start + this._block);
      const tally = new Map();
      for (let at = start; at < end; at += 1) tally.set(states[at], (tally.get(states[at]) ?? 0) + 1);
      const parts = [...tally].map(([state, number]) => `${count(number)} ${STATES[state].word}`);
      return `Tasks ${count(start)} to ${count(end - 1)}: ${parts.join(", ")}`;
    }
    const state = states[task];
    const took = state === DONE || state === FAILED ? `, ${duration(seconds[task])}` : "";
    return `${item(task, this._store)}: ${STATES[state].sign} ${STATES[state].word}${took}`;
  }
}

/** Paints a state: each has a separate shape, so that no one state depends on its color. */
function paint(context, state, size, color, ink) {
  context.fillStyle = context.strokeStyle = color;
  const middle = size / 2;
  switch (state) {
    case DONE:
      context.fillRect(0, 0, size, size);
      break;
    case RUNNING: {
      const line = Math.max(1, size / 5);
      context.lineWidth = line;
      context.strokeRect(line / 2, line / 2, size - line, size - line);
      break;
    }
    case FAILED:
      context.fillRect(0, 0, size, size);
      context.strokeStyle = ink;
      context.lineWidth = Math.max(1, size / 6);
      context.beginPath();
      context.moveTo(size * 0.2, size * 0.2);
      context.lineTo(size * 0.8, size * 0.8);
      context.moveTo(size * 0.8, size * 0.2);
      context.lineTo(size * 0.2, size * 0.8);
      context.stroke();
      break;
    case RETRYING:
      context.beginPath();
      context.moveTo(0, 0);
      context.lineTo(size, size);
      context.lineTo(0, size);
      context.fill();
      break;
    case THROTTLED:
      context.fillRect(0, 0, Math.max(1, size * 0.3), size);
      context.fillRect(size * 0.6, 0, Math.max(1, size * 0.3), size);
      break;
    case NOT_RUN:
      context.fillRect(0, middle - Math.max(0.5, size / 10), size, Math.max(1, size / 5));
      break;
    default: {
      const dot = Math.max(1, size / 3);
      context.fillRect(middle - dot / 2, middle - dot / 2, dot, dot);
    }
  }
}
