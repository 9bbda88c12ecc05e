// What the tasks print, as it arrives: all of it or one task's, searched.
import { count, element, WORDS } from "./words.js";

/** Lines shown at once; more are there, and are found by searching. */
const SHOWN = 600;

/** The output so far of running tasks; it is removed when their answers come, which have all of it. */
export class Now {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this._store = store;
    this._text = element("pre", { class: "lm-output", tabindex: "0", "aria-label": WORDS.output });
    this.root = element("div", { class: "lm-now", hidden: "" }, element("div", { class: "lm-now-head", text: WORDS.output }), this._text);
    this._drawn = "";
  }

  draw() {
    const { now } = this._store;
    if (now === this._drawn) return;
    this._drawn = now;
    const isAtEnd = this._text.scrollTop + this._text.clientHeight >= this._text.scrollHeight - 8;
    this._text.textContent = now;
    this.root.hidden = !now;
    if (isAtEnd) this._text.scrollTop = this._text.scrollHeight;
  }
}

export class Output {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this._store = store;
    this._search = element("input", { type: "search", placeholder: "search", "aria-label": WORDS.searchOutput, input: () => this.draw(true) });
    this._task = element("input", { type: "number", min: "1", placeholder: WORDS.allItems, "aria-label": WORDS.onlyItem, input: () => this.draw(true) });
    this._note = element("span", { class: "lm-hint" });
    this._lines = element("pre", { class: "lm-output", tabindex: "0", "aria-label": "Output" });
    this._now = new Now(store);
    this.root = element("div", {}, element("div", { class: "lm-filters" }, this._search, this._task, this._note), this._lines, this._now.root);
    this._drawn = -1;
  }

  /** @param {boolean} isOther whether the filters changed */
  draw(isOther = false) {
    const store = this._store;
    this._now.draw();
    if (!isOther && this._drawn === store.printedCount) return;
    this._drawn = store.printedCount;
    const words = this._search.value.toLowerCase();
    const task = this._task.value === "" ? -1 : Number(this._task.value) - 1;
    const found = store.printed.filter(
      (line) =>
        (!words || line.text.toLowerCase().includes(words)) &&
        (task < 0 || (line.first <= task && task < line.first + line.count)),
    );
    const isAtEnd = this._lines.scrollTop + this._lines.clientHeight >= this._lines.scrollHeight - 8;
    this._lines.replaceChildren(
      ...found.slice(-SHOWN).map((line) => {
        const who = line.count === 1 ? count(line.first + 1) : `${count(line.first + 1)}–${count(line.first + line.count)}`;
        return element(
          "div",
          { class: line.stream === "stderr" ? "lm-stderr" : "" },
          element("span", { class: "lm-who", text: who }),
          document.createTextNode(`${line.text}\n`),
        );
      }),
    );
    if (isAtEnd) this._lines.scrollTop = this._lines.scrollHeight;
    const more = found.length > SHOWN ? `, the last ${count(SHOWN)} shown` : "";
    const filtered = words || task >= 0;
    this._note.textContent = store.printed.length
      ? `${count(found.length)} ${filtered ? "matching " : ""}line${found.length === 1 ? "" : "s"}${more}`
      : WORDS.noOutput;
  }
}
