// What the page knows of a job: made from the kernel's messages, drawn by the panels. Draws nothing itself.
import { DONE, FAILED, RUNNING } from "./words.js";

const WIDTH = 8;
/** Lines of output kept in the page. */
const LINES = 5000;

/**
 * @typedef {{attempt: number, first: number, count: number, environment: number,
 *            sent: number, began: number, ended: number, init: number, tasks: number[] | null}} Invocation `tasks` where
 *            they do not follow one another
 */

/** @param {any} buffer a DataView, as widgets get them */
function bytesOf(buffer) {
  const view = buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return view.slice(); // aligned, and ours
}

export class Store {
  constructor() {
    /** @type {any} */ this.head = null;
    /** @type {any} */ this.can = {};
    this.isBlocking = true;
    this.states = new Uint8Array(0);
    this.seconds = new Float32Array(0);
    /** @type {Invocation[]} */ this.invocations = [];
    /** @type {Map<number, Invocation>} */ this.underWay = new Map();
    this.environments = 0;
    /** @type {string[]} the tasks' names; empty where they have numbers only */ this.names = [];
    /** @type {[string, number, number][]} */ this.errors = [];
    /** @type {{first: number, count: number, stream: string, text: string}[]} */ this.printed = [];
    this.printedCount = 0;
    /** What has been printed by what has not answered yet. */
    this.now = "";
    /** Counts up whenever tasks or invocations change. */
    this.version = 0;
    this.isReady = false;
    /** How many of its views are visible. */
    this.watchers = 0;
    /** @type {Set<(content: any, changed: number[][] | null) => void>} */ this._listeners = new Set();
  }

  /**
   * Takes in a message of the kernel and updates the views.
   * @param {any} content
   * @param {any[]} buffers
   */
  take(content, buffers) {
    const changed = content.kind === "update" ? this.apply(content, buffers) : [];
    for (const listener of this._listeners) listener(content, changed);
  }

  /**
   * @param {(content: any, changed: number[][] | null) => void} listener
   * @returns {() => void} ends it
   */
  listen(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /**
   * Takes in an update; returns the ranges of tasks that changed, or null when all may have.
   * @param {any} content
   * @param {any[]} buffers
   * @returns {number[][] | null}
   */
  apply(content, buffers) {
    if (!content.whole && !this.isReady) return []; // a difference to what this page never got
    this.head = content.head;
    if (content.whole) {
      this.isReady = true;
      this.can = content.can;
      this.isBlocking = content.blocking;
      this.invocations = [];
      this.underWay.clear();
      this.environments = 0;
      this.printed = [];
      this.printedCount = 0;
    }
    if (content.names) this.names = content.names;
    if (content.errors) this.errors = content.errors;
    if (content.now !== undefined) this.now = content.now;
    for (const [first, count, stream, text] of content.printed ?? []) this._print(first, count, stream, text);
    const ranges = new Uint32Array(bytesOf(buffers[0]).buffer);
    const states = bytesOf(buffers[1]);
    const seconds = new Float32Array(bytesOf(buffers[2]).buffer);
    const rows = new Float32Array(bytesOf(buffers[3]).buffer);
    const grew = this._tasks(ranges, states, seconds, content.whole);
    this._rows(rows, new Map(content.scattered));
    if (ranges.length || rows.length) this.version += 1;
    if (content.whole || grew) return null;
    const changed = [];
    for (let at = 0; at < ranges.length; at += 2) changed.push([ranges[at], ranges[at] + ranges[at + 1]]);
    return changed;
  }

  /** @returns {number} */
  get taskCount() {
    return this.states.length;
  }

  /**
   * The invocation that decided a task, or that carries it now.
   * @param {number} task
   */
  invocationOf(task) {
    const carries = (row) => (row.tasks ? row.tasks.includes(task) : row.first <= task && task < row.first + row.count);
    for (const row of this.underWay.values()) if (carries(row)) return row;
    for (let at = this.invocations.length - 1; at >= 0; at -= 1) {
      if (carries(this.invocations[at])) return this.invocations[at];
    }
    return null;
  }

  /** Invocations that carry a task now. */
  running() {
    return [...this.underWay.values()].filter((row) => this.states[row.first] === RUNNING);
  }

  _tasks(ranges, states, seconds, whole) {
    let needed = whole ? 0 : this.states.length;
    for (let at = 0; at < ranges.length; at += 2) needed = Math.max(needed, ranges[at] + ranges[at + 1]);
    const grew = needed !== this.states.length;
    if (grew) {
      const [oldStates, oldSeconds] = [this.states, this.seconds];
      this.states = new Uint8Array(needed);
      this.seconds = new Float32Array(needed);
      this.states.set(oldStates.subarray(0, needed));
      this.seconds.set(oldSeconds.subarray(0, needed));
    }
    let from = 0;
    let taken = 0;
    for (let at = 0; at < ranges.length; at += 2) {
      for (let task = ranges[at]; task < ranges[at] + ranges[at + 1]; task += 1, from += 1) {
        const state = states[from];
        this.states[task] = state;
        if (state === DONE || state === FAILED) this.seconds[task] = seconds[taken++];
      }
    }
    return grew;
  }

  _rows(rows, scattered) {
    for (let at = 0; at < rows.length; at += WIDTH) {
      const [attempt, first, count, environment, sent, began, ended, init] = rows.subarray(at, at + WIDTH);
      const tasks = scattered.get(at / WIDTH) ?? null;
      const row = { attempt, first, count, environment, sent, began, ended, init, tasks };
      if (environment === -1) {
        this.underWay.set(first, row);
        continue;
      }
      this.underWay.delete(first);
      if (environment >= 0) {
        this.invocations.push(row);
        this.environments = Math.max(this.environments, environment + 1);
      }
    }
  }

  _print(first, count, stream, text) {
    for (const line of text.replace(/\n$/, "").split("\n")) this.printed.push({ first, count, stream, text: line });
    this.printedCount += 1;
    if (this.printed.length > LINES) this.printed.splice(0, this.printed.length - LINES);
  }
}
