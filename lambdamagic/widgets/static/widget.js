// The widget: wires the store to the panels, and both to the kernel. See live.py for the messages.
import { count, duration, element, FAILED, item, JOB_SIGNS, say, STATES, WORDS } from "./words.js";
import { Store } from "./store.js";
import { Grid } from "./grid.js";
import { Timeline } from "./timeline.js";
import { Durations } from "./durations.js";
import { Errors } from "./errors.js";
import { Now, Output } from "./output.js";

/** How long the kernel may take to answer before the widget says that it is busy, in milliseconds. */
const PATIENCE = 1500;
/** How often a screen reader hears how far it is, in milliseconds. */
const SPEAK_EVERY = 10_000;

/**
 * The stores of the page's models, by their keys: anywidget hands another object over each time.
 * @type {Map<string, Store>}
 */
const stores = new Map();
let widgets = 0;

/**
 * Makes a model's store, which takes every message from then on, be there a view or not.
 * @param {{model: any}} context
 */
function initialize({ model }) {
  const store = new Store();
  stores.set(model.get("key"), store);
  const take = (content, buffers) => store.take(content, buffers ?? []);
  model.on("msg:custom", take);
  model.send({ kind: "ready" });
  return () => {
    model.off("msg:custom", take);
    stores.delete(model.get("key"));
  };
}

class Widget {
  /**
   * @param {any} model anywidget's model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this._model = model;
    this._id = `lm-${(widgets += 1)}`;
    this._store = /** @type {Store} */ (stores.get(model.get("key")));
    this._isVisible = true;
    this._inPage = true;
    this._store.watchers += 1;
    this._spokenAt = 0;
    this._spokenState = "";
    this._waiting = new Map();
    this._detailOf = -1;
    this._frames = [];
    this._build(root);
    this._unlisten = this._store.listen((content, changed) => this._take(content, changed));
    this._watch(root);
    this._draw(null);
  }

  close() {
    this._unlisten();
    this._observer.disconnect();
    this._resized.disconnect();
    this._themed.disconnect();
    document.removeEventListener("visibilitychange", this._onVisibility);
    for (const timer of this._waiting.values()) clearTimeout(timer);
    this._inPage = false;
    this._tellVisible();
  }

  _build(root) {
    const store = this._store;
    const button = (text, title, act) => element("button", { type: "button", class: "lm-button", title, text, hidden: "", click: act });
    this._label = element("span", { class: "lm-label" });
    this._state = element("span", { class: "lm-state" });
    this._cancel = button("Cancel", WORDS.cancelTitle, () => this._ask("cancel"));
    this._cancel.classList.add("lm-danger");
    this._retry = button(WORDS.retry, WORDS.retryTitle, () => this._ask("retry"));
    this._csv = button("CSV", WORDS.tableTitle, () => this._ask("csv"));
    this._copy = button(WORDS.copyId, WORDS.copyIdTitle, () => this._clip(store.head.job, WORDS.jobId));
    this._pace = element("div", { class: "lm-pace" });
    this._bar = element("div", { class: "lm-bar", role: "progressbar", "aria-valuemin": 0 });
    this._segments = ["done", "failed", "again", "running", "not-run"].map((key) => element("div", { class: `lm-seg lm-seg-${key}` }));
    this._bar.append(...this._segments);
    this._facts = element("dl", { class: "lm-facts" });
    this._note = element("p", { class: "lm-note", role: "status" });
    this._spoken = element("div", { class: "lm-unseen", role: "status", "aria-live": "polite" });
    this._grid = new Grid(store, (task, byKeyboard) => this._openTask(task, byKeyboard));
    this._timeline = new Timeline(store);
    this._durations = new Durations(store);
    this._errors = new Errors(store, (task) => this._describe(task), (task) => { this._select(0); this._openTask(task, true); });
    this._output = new Output(store);
    this._now = new Now(store); // a cell has no tabs
    this._buildDetail();
    const tasks = element("div", {}, this._grid.root, this._grid.legend, this._grid.hint, this._detail);
    this._panels = [
      { name: "Tasks", root: tasks, draw: (changed) => this._grid.draw(changed) },
      { name: "Timeline", root: this._timeline.root, draw: () => this._timeline.draw() },
      { name: "Durations", root: this._durations.root, draw: () => this._durations.draw() },
      { name: "Errors", root: this._errors.root, draw: () => this._errors.draw() },
      { name: "Output", root: this._output.root, draw: () => this._output.draw() },
    ];
    this._tabs = this._panels.map((panel, at) =>
      element("button", {
        type: "button", role: "tab", id: `${this._id}-tab-${at}`, "aria-controls": `${this._id}-panel-${at}`,
        text: panel.name, click: () => this._select(at), keydown: (event) => this._tabKey(event, at),
      }),
    );
    this._panels.forEach((panel, at) => {
      panel.frame = element("div", { role: "tabpanel", id: `${this._id}-panel-${at}`, "aria-labelledby": `${this._id}-tab-${at}`, class: "lm-panel" }, panel.root);
    });
    this._root = root;
    root.classList.add("lm-widget");
    root.append(
      element("div", { class: "lm-head" }, element("span", { class: "lm-sign", text: "λ", "aria-hidden": "true" }), this._label, this._state,
        element("span", { class: "lm-buttons" }, this._retry, this._csv, this._copy, this._cancel)),
      this._pace, this._bar, this._facts, this._note, this._spoken, this._now.root,
      element("div", { class: "lm-tabs", role: "tablist", "aria-label": WORDS.views }, ...this._tabs),
      ...this._panels.map((panel) => panel.frame),
    );
    this._select(0);
  }

  _buildDetail() {
    const button = (text, act) => element("button", { type: "button", class: "lm-button", text, click: act });
    const step = (by) => () => this._openTask(this._detailOf + by, false);
    this._title = element("h4");
    this._before = button("Previous", step(-1));
    this._after = button("Next", step(1));
    this._failing = button(WORDS.nextFailed, () => this._openTask(this._nextFailed(), false));
    this._body = element("div");
    const buttons = element("span", { class: "lm-buttons" }, this._before, this._after, this._failing, button("Close", () => this._closeTask()));
    this._detail = element(
      "section",
      { class: "lm-detail", "aria-label": "Task", tabindex: "-1", hidden: "", keydown: (event) => this._detailKey(event) },
      element("header", {}, this._title, buttons),
      this._body,
    );
  }

  _watch(root) {
    this._onVisibility = () => this._tellVisible();
    document.addEventListener("visibilitychange", this._onVisibility);
    this._observer = new IntersectionObserver((entries) => {
      this._inPage = entries[entries.length - 1].isIntersecting;
      this._tellVisible();
    });
    this._observer.observe(root);
    this._resized = new ResizeObserver(() => this._draw(null));
    this._resized.observe(root);
    this._themed = new MutationObserver(() => this._draw(null));
    this._themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "class"] });
  }

  _tellVisible() {
    const isVisible = this._inPage && document.visibilityState === "visible";
    if (isVisible === this._isVisible) return;
    this._isVisible = isVisible;
    this._store.watchers += isVisible ? 1 : -1;
    // The kernel sends nothing to a model without a visible view, and everything when one is visible again.
    if (this._store.watchers === (isVisible ? 1 : 0)) this._sendVisible(isVisible);
    if (isVisible) this._draw(null);
  }

  _sendVisible(value) {
    try {
      this._model.send({ kind: "visible", value });
    } catch {
      // The kernel has ended and receives nothing; the view still has to go.
    }
  }

  _take(content, changed) {
    if (content.kind === "update") this._schedule(changed);
    else if (content.kind === "detail") this._detailed(content.task, content.detail);
    else if (content.kind === "answer") this._answered(content);
  }

  _schedule(changed) {
    this._pending = changed === null || this._pending === null ? null : [...(this._pending ?? []), ...changed];
    if (this._isScheduled || !this._isVisible) return;
    this._isScheduled = true;
    requestAnimationFrame(() => {
      this._isScheduled = false;
      const due = this._pending;
      this._pending = [];
      this._draw(due);
    });
  }

  _draw(changed) {
    const head = this._store.head;
    if (!head || !this._isVisible) return;
    const began = performance.now();
    this._drawHead(head);
    if (head.count === 1) this._now.draw();
    const panel = this._panels[this._selected];
    // Expensive views are drawn less often: never more than a fifth of the page's time.
    if (changed === null || this._selected === 0 || began >= (this._nextAt ?? 0)) {
      panel.draw(changed);
      this._nextAt = performance.now() + 5 * (performance.now() - began);
    }
    this.frameMs = performance.now() - began;
    this._frames.push(this.frameMs);
    if (this._frames.length > 200) this._frames.shift();
  }

  _drawHead(head) {
    const { can, isBlocking } = this._store;
    const isOver = !["queued", "starting", "running"].includes(head.state);
    say(this._label, head.label);
    this._label.title = head.label;
    say(this._state, `${JOB_SIGNS[head.state] ?? "?"} ${head.word ?? head.state}`);
    this._state.className = `lm-state lm-state-${head.state}`;
    const finished = head.done + head.failed;
    // A cell is one task: there is no way between none and all, and nothing to compare.
    this._root.classList.toggle("lm-single", head.count === 1);
    const pace = head.elapsed === null ? [] : [duration(head.elapsed)];
    if (head.count === null) pace.unshift(`${count(finished)} tasks`);
    else if (head.count !== 1) pace.unshift(`${count(finished)}/${count(head.count)} tasks`);
    if (head.left !== null) pace.push(`about ${duration(head.left).replace(".0 s", " s")} left`);
    say(this._pace, pace.join(" · "));
    this._drawBar(head, finished, isOver);
    this._drawFacts(head);
    this._cancel.hidden = isOver || !can.cancel;
    this._retry.hidden = !head.failed || !can.retry;
    this._csv.hidden = !can.csv || !finished;
    this._copy.hidden = !head.job;
    if (!this._noteUntil || performance.now() > this._noteUntil) {
      say(this._note, isOver ? "" : head.note ? head.note : isBlocking ? WORDS.blocking : isBlocking === null ? "" : WORDS.background);
    }
    const [errors, printed] = [this._store.errors.length, this._store.printed.length || this._store.now];
    say(this._tabs[3], errors ? `Errors (${count(head.failed)})` : "Errors");
    say(this._tabs[4], printed ? "Output •" : "Output");
    if (printed) this._tabs[4].setAttribute("aria-label", WORDS.hasOutput);
    this._speak(head, finished, isOver);
  }

  _drawBar(head, finished, isOver) {
    const total = head.count ?? Math.max(1, finished + head.running);
    const notRun = isOver ? total - finished : 0;
    const parts = [head.done, head.failed, isOver ? 0 : head.again, isOver ? 0 : head.running, notRun];
    const words = ["done", "failed", WORDS.waitingRetry, "running", "not run"];
    this._segments.forEach((segment, at) => {
      segment.style.width = `${(100 * parts[at]) / total}%`;
      segment.hidden = !parts[at];
      segment.title = `${count(parts[at])} ${words[at]}`;
    });
    this._bar.setAttribute("aria-label", head.label || "Job");
    this._bar.setAttribute("aria-valuemax", String(total));
    this._bar.setAttribute("aria-valuenow", String(finished));
    this._bar.setAttribute("aria-valuetext", `${count(finished)} of ${count(total)} tasks`);
  }

  _drawFacts(head) {
    const ofMany = [
      ["running", count(head.running), "running"],
      ["failed", count(head.failed), head.failed ? "failed" : ""],
    ];
    const facts = [
      ...(head.count === 1 ? [] : ofMany),
      ...(head.retried || head.count !== 1 ? [["retried", count(head.retried), ""]] : []),
      ...(head.throttled || head.count !== 1 ? [["throttled", count(head.throttled), ""]] : []),
      ...(head.backups ? [["backups", count(head.backups), ""]] : []),
      ...(head.cached ? [[WORDS.reused, count(head.cached), ""]] : []),
      ...(head.cold || head.count !== 1 ? [[WORDS.coldStarts, count(head.cold), ""]] : []),
      [WORDS.memoryPeak, head.peak ? `${count(head.peak)} of ${count(head.memory)} MB` : head.memory ? `– of ${count(head.memory)} MB` : "–", head.peak > 0.9 * head.memory ? "failed" : ""],
      [head.isBilled ? WORDS.costSoFar : WORDS.wouldCost, head.cost || "–", ""],
    ];
    if (this._facts.children.length !== facts.length) {
      this._facts.replaceChildren(...facts.map(([name]) => element("div", {}, element("dt", { text: name }), element("dd"))));
    }
    facts.forEach(([name, value, tone], at) => {
      const [term, definition] = this._facts.children[at].children;
      say(term, name);
      say(definition, value);
      definition.className = tone ? `lm-tone-${tone}` : "";
    });
  }

  _speak(head, finished, isOver) {
    const now = performance.now();
    if (head.state === this._spokenState && now - this._spokenAt < SPEAK_EVERY) return;
    if (isOver && head.state === this._spokenState) return;
    [this._spokenState, this._spokenAt] = [head.state, now];
    const failed = head.failed ? `, ${count(head.failed)} failed` : "";
    const of = head.count === null ? "" : ` of ${count(head.count)}`;
    say(this._spoken, `${head.label}: ${head.word ?? head.state}, ${count(finished)}${of} tasks${failed}`);
  }

  _select(at) {
    this._selected = at;
    this._tabs.forEach((tab, number) => {
      tab.setAttribute("aria-selected", String(number === at));
      tab.tabIndex = number === at ? 0 : -1;
      this._panels[number].frame.hidden = number !== at;
    });
    this._draw(null);
  }

  _tabKey(event, at) {
    const last = this._tabs.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    this._select(to);
    this._tabs[to].focus();
    event.preventDefault();
    event.stopPropagation();
  }

  /** Asks the kernel, and says so if it does not answer. */
  _ask(kind, more = {}) {
    const key = kind === "describe" ? `describe ${more.task}` : kind;
    clearTimeout(this._waiting.get(key));
    this._waiting.set(key, setTimeout(() => this._unheard(kind), PATIENCE));
    this._model.send({ kind, ...more });
  }

  _unheard(kind) {
    const what = kind === "cancel" ? WORDS.busyStop : WORDS.busy;
    this._tell(what, 8000);
  }

  _heard(key) {
    clearTimeout(this._waiting.get(key));
    this._waiting.delete(key);
  }

  _tell(text, ms = 4000) {
    say(this._note, text);
    this._noteUntil = performance.now() + ms;
  }

  _answered(content) {
    this._heard(content.to);
    if (content.error) this._tell(content.error, 10_000);
    else if (content.to === "cancel") this._tell(WORDS.cancelled);
    else if (content.to === "retry") this._tell(WORDS.retryLater, 10_000);
    else if (content.csv !== undefined) {
      const url = URL.createObjectURL(new Blob([content.csv], { type: "text/csv" }));
      const link = element("a", { href: url, download: `${this._store.head.job}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    }
  }

  _describe(task) {
    this._ask("describe", { task });
  }

  /** Shows a task; with `isLed` the person is led there, who would else not know that something has opened below. */
  _openTask(task, isLed) {
    this._detailOf = task;
    this._showDetail(task, null);
    this._detail.hidden = false;
    this._grid.show(task);
    if (isLed) this._detail.focus();
    else this._detail.scrollIntoView({ block: "nearest" });
    if (this._store.can.describe) this._describe(task);
  }

  _closeTask() {
    this._detail.hidden = true;
    this._detailOf = -1;
    this._grid.root.focus();
  }

  _detailKey(event) {
    if (event.key !== "Escape") return;
    this._closeTask();
    event.preventDefault();
    event.stopPropagation(); // the notebook would leave the cell
  }

  /** The next task that failed, from the first on again after the last; -1 when no other did. */
  _nextFailed() {
    const { states } = this._store;
    const later = states.indexOf(FAILED, this._detailOf + 1);
    const found = later >= 0 ? later : states.indexOf(FAILED);
    return found === this._detailOf ? -1 : found;
  }

  _detailed(task, detail) {
    this._heard(`describe ${task}`);
    this._errors.tell(task, detail);
    if (task === this._detailOf) this._showDetail(task, detail);
  }

  _showDetail(task, detail) {
    const store = this._store;
    const state = STATES[store.states[task]];
    const row = store.invocationOf(task);
    const facts = [["state", `${state.sign} ${state.word}`]];
    if (store.seconds[task]) facts.push([WORDS.runTime, duration(store.seconds[task])]);
    if (row?.environment >= 0) {
      facts.push([WORDS.environment, `no. ${count(row.environment + 1)}${row.init ? `, cold start ${duration(row.init)}` : ", warm"}`]);
      facts.push(["sent, ran", `at ${duration(row.sent)}, from ${duration(row.began)} to ${duration(row.ended)}`]);
    }
    if (row && row.count > 1) {
      const together = row.tasks || store.names.length ? `with ${count(row.count - 1)} other tasks` : `with items ${count(row.first + 1)} to ${count(row.first + row.count)}`;
      facts.push(["invocation", row.attempt ? `no. ${count(row.attempt)}, ${together}` : together]);
    }
    for (const [name, value] of [["argument", detail?.argument], ["result", detail?.result], [WORDS.requestId, detail?.request_id], ["report", detail?.report]]) {
      if (value) facts.push([name, value]);
    }
    say(this._title, item(task, store));
    this._detail.setAttribute("aria-label", `${item(task, store)}, ${state.word}`);
    this._before.disabled = task === 0;
    this._after.disabled = task >= store.taskCount - 1;
    this._failing.hidden = this._nextFailed() < 0;
    const parts = [
      element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value })))),
    ];
    const text = (title, value) => parts.push(element("h5", { text: title }), element("pre", { text: value, tabindex: "0", "aria-label": title }));
    if (detail?.traceback) text("Traceback", detail.traceback);
    if (detail?.output) text("Output", detail.output);
    if (detail?.log_query) {
      parts.push(element("button", { type: "button", class: "lm-button", text: WORDS.copyQuery, title: detail.log_query, click: () => this._clip(detail.log_query, WORDS.logQuery) }));
    }
    this._body.replaceChildren(...parts);
  }

  async _clip(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this._tell(`Copied ${what}.`);
    } catch {
      this._tell(text, 15_000); // no permission: there to be copied by hand
    }
  }
}

/** @type {(context: {model: any, el: HTMLElement}) => () => void} */
function render({ model, el }) {
  const widget = new Widget(model, el);
  /** @type {any} */ (el).lambdamagic = widget;
  return () => widget.close();
}

export default { initialize, render };
