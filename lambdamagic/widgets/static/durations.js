// The histogram of the tasks' run times.
import { count, DONE, duration, element, FAILED, WORDS } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const BINS = 32;
const HEIGHT = 150;

/**
 * Sorts run times into bins of equal width, or of equal ratio where they differ widely.
 * @param {Uint8Array} states
 * @param {Float32Array} seconds
 */
export function histogram(states, seconds) {
  const done = [];
  const failed = [];
  for (let task = 0; task < states.length; task += 1) {
    if (!seconds[task]) continue; // it did not run in this job: its value was there before
    if (states[task] === DONE) done.push(seconds[task]);
    else if (states[task] === FAILED) failed.push(seconds[task]);
  }
  const all = Float64Array.from([...done, ...failed].map((value) => Math.max(value, 1e-6))).sort();
  if (!all.length) return null;
  const at = (share) => all[Math.min(all.length - 1, Math.floor(share * all.length))];
  const [low, high] = [all[0], all[all.length - 1]];
  const isLog = high / Math.max(low, 1e-6) > 30;
  const [from, to] = isLog ? [Math.log(low), Math.log(high)] : [0, high];
  const bin = (value) => {
    const place = ((isLog ? Math.log(Math.max(value, 1e-6)) : value) - from) / (to - from || 1);
    return Math.max(0, Math.min(BINS - 1, Math.floor(place * BINS)));
  };
  const bins = Array.from({ length: BINS }, () => [0, 0]);
  for (const value of done) bins[bin(value)][0] += 1;
  for (const value of failed) bins[bin(value)][1] += 1;
  const edge = (share) => (isLog ? Math.exp(from + share * (to - from)) : from + share * (to - from));
  return { bins, edge, isLog, count: all.length, median: at(0.5), p95: at(0.95), longest: high, shortest: low };
}

export class Durations {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this._store = store;
    this._picture = document.createElementNS(SVG, "svg");
    this._picture.setAttribute("height", String(HEIGHT));
    this._picture.setAttribute("role", "img");
    this._note = element("p", { class: "lm-hint" });
    this.root = element("div", { class: "lm-durations" }, this._picture, this._note);
  }

  draw() {
    const found = histogram(this._store.states, this._store.seconds);
    if (found === null) {
      this._note.textContent = WORDS.noEnd;
      this._picture.setAttribute("aria-label", WORDS.emptyHistogram);
      this._picture.replaceChildren();
      return;
    }
    const highest = Math.max(...found.bins.map(([done, failed]) => done + failed));
    const room = HEIGHT - 30;
    const width = this.root.clientWidth;
    const wide = width / BINS;
    const parts = [];
    found.bins.forEach(([done, failed], at) => {
      const tall = (number) => (number ? Math.max(1.5, (number / highest) * room) : 0);
      const [below, above] = [tall(done), tall(failed)];
      const range = `${duration(found.edge(at / BINS))} to ${duration(found.edge((at + 1) / BINS))}`;
      if (done) parts.push(bar(at * wide, 12 + room - below, wide - 2, below, "done", `${count(done)} done, ${range}`));
      if (failed) parts.push(bar(at * wide, 12 + room - below - above, wide - 2, above, "failed", `${count(failed)} failed, ${range}`));
    });
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      parts.push(label(share * width, HEIGHT - 3, duration(found.edge(share)), anchor));
    }
    parts.push(label(0, 9, `${count(highest)} tasks`, "start"));
    this._picture.replaceChildren(...parts);
    const scale = found.isLog ? WORDS.logarithmic : "";
    const summary = `${count(found.count)} tasks: median ${duration(found.median)}, 95% within ${duration(found.p95)}, longest ${duration(found.longest)}.${scale}`;
    this._picture.setAttribute("aria-label", `Histogram of run times of ${summary}`);
    this._note.textContent = summary;
  }
}

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function bar(x, y, width, height, kind, title) {
  const made = svg("rect", { x, y, width, height, rx: 1.5, class: `lm-bar-${kind}` });
  const tooltip = svg("title", {});
  tooltip.textContent = title;
  made.append(tooltip);
  return made;
}

function label(x, y, text, anchor) {
  const made = svg("text", { x, y, "text-anchor": anchor, class: "lm-axis" });
  made.textContent = text;
  return made;
}
