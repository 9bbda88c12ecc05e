// The timeline: a line for each execution environment, and on it what it waited for, its cold start and its tasks.
import { count, DONE, duration, element, FAILED, item, WORDS } from "./words.js";

const TALLEST = 240;
const AXIS = 18;
/** Lines for what is under way: where it runs is known only when its answer comes. */
const OPEN_LINES = 24;
/** The pixels that a bar needs to be visible by itself. */
const NARROWEST = 0.75;
/** So many bars are named below the pointer. */
const NAMED = 20_000;

export class Timeline {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this._store = store;
    this.canvas = element("canvas", { role: "img", "aria-label": "Timeline" });
    this._note = element("p", { class: "lm-hint" });
    const sample = (key, word) => element("li", {}, element("i", { class: `lm-sample lm-sample-${key}` }), element("span", { text: word }));
    const legend = element(
      "ul",
      { class: "lm-legend" },
      sample("queue", WORDS.sent),
      sample("init", WORDS.coldStart),
      sample("run", "task"),
      sample("failed", WORDS.failedTask),
      sample("open", WORDS.underWay),
    );
    this.root = element("div", {}, this.canvas, legend, this._note);
    /** @type {{task: number, y: number, height: number, from: number, to: number}[]} */ this._bars = [];
    this.canvas.addEventListener("pointermove", (event) => this._name(event.offsetX, event.offsetY));
  }

  /** Names the task below the pointer. */
  _name(x, y) {
    const bar = this._bars.find((each) => each.from <= x && x <= each.to && each.y <= y && y < each.y + each.height);
    const text = bar ? `${item(bar.task, this._store)}, ${duration(this._store.seconds[bar.task])}` : "";
    if (this.canvas.title !== text) this.canvas.title = text;
  }

  draw() {
    const store = this._store;
    const width = Math.floor(this.root.clientWidth);
    if (!width || !store.head) return;
    const running = store.running();
    const ratio = window.devicePixelRatio || 1;
    const lanes = Math.max(1, store.environments);
    const height = Math.max(2, Math.min(14, Math.floor(TALLEST / lanes)));
    // More environments than lines: neighbors share one.
    const share = Math.max(1, Math.ceil(lanes / Math.floor(TALLEST / height)));
    const known = Math.ceil(lanes / share) * height;
    const open = running.slice(0, OPEN_LINES);
    const openHeight = open.length > 8 ? 3 : 8;
    const tall = known + open.length * openHeight + AXIS;
    const canvas = this.canvas;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(tall * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${tall}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.root);
    const color = (name) => style.getPropertyValue(`--lm-${name}`).trim();
    const colors = { done: color("done"), failed: color("failed"), running: color("running"), queue: color("waiting"), init: color("init"), text: color("quiet"), line: color("track") };
    const whole = Math.max(store.head.elapsed, 0.001);
    const x = (seconds) => (seconds / whole) * width;
    this._bars = [];
    this._axis(context, width, tall - AXIS, whole, colors);
    for (const row of store.invocations) this._bar(context, row, Math.floor(row.environment / share) * height, height, x, colors);
    context.fillStyle = colors.running;
    open.forEach((row, at) => {
      const y = known + at * openHeight + 1;
      const [left, wide] = [x(row.sent), Math.max(2, width - x(row.sent))];
      context.fillRect(left, y, wide, openHeight - 1);
      if (openHeight > 4) context.clearRect(left + 1, y + 1, wide - 2, openHeight - 3);
    });
    const hidden = running.length > open.length ? ` ${count(running.length - open.length)} more are running.` : "";
    const shared = share > 1 ? ` ${share} environments share a line.` : "";
    const summary = `${count(store.invocations.length)} invocations on ${count(store.environments)} execution environments in ${duration(whole)}.${shared}${hidden}`;
    canvas.setAttribute("aria-label", `Timeline: ${summary}`);
    this._note.textContent = store.invocations.length ? summary : WORDS.noBars;
  }

  _axis(context, width, y, whole, colors) {
    const rough = whole / Math.max(2, Math.floor(width / 110));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power * 10;
    context.fillStyle = colors.line;
    context.fillRect(0, y + 1, width, 1);
    context.font = "11px system-ui, sans-serif";
    for (let at = 0; at <= whole; at += step) {
      const x = (at / whole) * width;
      context.fillStyle = colors.line;
      context.fillRect(x, 0, 1, y + 4);
      const text = at === 0 ? "0" : duration(at);
      if (x + context.measureText(text).width > width) break;
      context.fillStyle = colors.text;
      context.fillText(text, x + 3, y + 14);
    }
  }

  _bar(context, row, y, height, x, colors) {
    const { states, seconds } = this._store;
    const inner = Math.max(1, height - 1);
    const thin = Math.max(1, Math.floor(inner / 3));
    const cold = row.began - row.init;
    context.fillStyle = colors.queue;
    context.fillRect(x(row.sent), y + (inner - thin) / 2, Math.max(0, x(cold) - x(row.sent)), thin);
    if (row.init > 0) {
      context.fillStyle = colors.init;
      context.fillRect(x(cold), y + inner / 4, Math.max(1, x(row.began) - x(cold)), Math.max(1, inner / 2));
    }
    let at = row.began;
    let from = x(at);
    let failed = false;
    const flush = (to) => {
      context.fillStyle = failed ? colors.failed : colors.done;
      // A failed task is taller too.
      context.fillRect(from, y, Math.max(1, to - from - (to - from > 3 ? 1 : 0)), failed ? height : inner);
      [from, failed] = [to, false];
    };
    const end = x(row.ended);
    for (let place = 0; place < row.count; place += 1) {
      const task = row.tasks ? row.tasks[place] : row.first + place;
      if (states[task] !== DONE && states[task] !== FAILED) continue;
      if (this._bars.length < NAMED) this._bars.push({ task, y, height, from: x(at), to: Math.max(x(at) + 2, x(at + seconds[task])) });
      at += seconds[task];
      failed ||= states[task] === FAILED;
      const to = Math.min(end, x(at));
      if (to - from >= NARROWEST) flush(to);
    }
    // What is left is the handler's own, before its answer is here: part of the last bar, and no gap.
    if (end - from >= NARROWEST || from === x(row.began) || failed) flush(Math.max(from, end));
  }
}
