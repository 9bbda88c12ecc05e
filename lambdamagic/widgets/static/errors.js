// Errors, grouped by type and message, the most frequent first.
import { count, element, item, WORDS } from "./words.js";

export class Errors {
  /**
   * @param {import("./store.js").Store} store
   * @param {(task: number) => void} ask called with a task whose traceback is wanted
   * @param {(task: number) => void} open called with the task that a person wants to see
   */
  constructor(store, ask, open) {
    this._store = store;
    this._ask = ask;
    this._open = open;
    this.root = element("div", { class: "lm-errors" });
    this._shown = null;
    /** @type {Map<string, any>} */ this._groups = new Map();
  }

  draw() {
    const errors = this._store.errors;
    if (errors === this._shown) return;
    this._shown = errors;
    if (!errors.length) {
      const failure = this._store.head?.error;
      this.root.replaceChildren(element("p", { class: "lm-hint", text: failure || WORDS.noFailure }));
      return;
    }
    const groups = errors.map(([error, number, first], place) => this._group(error, number, first, place === 0));
    // Nodes that stay are not moved: what a person has opened, or is reading, stays as it is.
    if (groups.some((group, place) => this.root.children[place] !== group)) this.root.replaceChildren(...groups);
  }

  _group(error, number, first, isFirst) {
    let group = this._groups.get(error);
    if (!group) {
      const [type, message] = split(error);
      const many = element("b", { class: "lm-many" });
      const trace = element("pre", { class: "lm-trace", tabindex: "0", "aria-label": `Traceback of ${item(first, this._store)}` });
      group = element(
        "details",
        {},
        element("summary", {}, many, element("code", { text: type }), element("span", { text: message })),
        trace,
        element("button", { type: "button", class: "lm-button", text: `Show ${item(first, this._store)}`, click: () => this._open(first) }),
      );
      group.many = many;
      group.trace = trace;
      group.first = first;
      group.addEventListener("toggle", () => {
        if (group.open && !trace.textContent) {
          const asked = `${error}\nAsking the kernel for the traceback. A busy kernel answers when its cell ends.`;
          trace.textContent = this._store.can.describe ? asked : error;
          if (this._store.can.describe) this._ask(first);
        }
      });
      if (isFirst && !this._groups.size) group.open = true;
      this._groups.set(error, group);
    }
    group.many.textContent = `${count(number)} ×`;
    return group;
  }

  /**
   * Shows the details of a task that the kernel sent.
   * @param {number} task
   * @param {any} detail
   */
  tell(task, detail) {
    for (const group of this._groups.values()) {
      if (group.first === task) group.trace.textContent = detail.traceback || WORDS.noTraceback;
    }
  }
}

/** @param {string} error "Type: message" */
function split(error) {
  const at = error.indexOf(": ");
  return at < 0 ? [error, ""] : [error.slice(0, at), error.slice(at + 2)];
}
