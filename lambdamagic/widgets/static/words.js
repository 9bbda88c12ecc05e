// What is said to the user: states, durations and counts in words.

/** The states of a task, in the order of their numbers (`tasks.py`). Each has a word and a sign in addition to its color. */
export const STATES = [
  { key: "waiting", word: "waiting", sign: "·" },
  { key: "running", word: "running", sign: "▶" },
  { key: "done", word: "done", sign: "✓" },
  { key: "failed", word: "failed", sign: "✗" },
  { key: "retrying", word: "retrying", sign: "↻" },
  { key: "throttled", word: "throttled", sign: "‖" },
  { key: "not-run", word: "not run", sign: "–" },
];
export const WAITING = 0;
export const RUNNING = 1;
export const DONE = 2;
export const FAILED = 3;
export const RETRYING = 4;
export const THROTTLED = 5;
export const NOT_RUN = 6;

/** What the widget says to the user, except the lines that are put together from numbers. */
export const WORDS = {
  noEnd: "No task has finished yet.",
  emptyHistogram: "Histogram of run times, still empty",
  logarithmic: " The axis is logarithmic.",
  noFailure: "No task has failed.",
  noTraceback: "No traceback.",
  redCorner: " Its red corner is the share that failed.",
  oneTask: "One cell is one task.",
  output: "Output so far",
  searchOutput: "Search the output",
  allItems: "all items",
  onlyItem: "Only this item",
  noOutput: "No output yet.",
  sent: "sent",
  coldStart: "cold start",
  failedTask: "failed task",
  underWay: "running",
  noBars: "Bars appear as invocations end.",
  cancelTitle: "Cancel the job and stop its running tasks",
  retry: "Retry failed",
  retryTitle: "Run the failed tasks again",
  tableTitle: "Download the table of tasks and results",
  copyId: "Copy ID",
  copyIdTitle: "Copy the job's ID",
  jobId: "the job's ID",
  views: "Views of the job",
  nextFailed: "Next failed",
  blocking: "The cell waits for this job. The notebook's stop button ■ cancels it.",
  background: "Runs in the background.",
  hasOutput: "Output, not empty",
  waitingRetry: "waiting for a retry",
  reused: "reused",
  coldStarts: "cold starts",
  memoryPeak: "peak memory",
  costSoFar: "cost so far",
  wouldCost: "cost if on AWS",
  busyStop: "The kernel is busy. Use the notebook's stop button ■.",
  busy: "The kernel is busy. It will answer when the cell allows.",
  cancelled: "Cancelled. Tasks still running on Lambda are being stopped.",
  retryLater: "The failed tasks will run when the job has ended and no cell is running.",
  runTime: "run time",
  environment: "execution environment",
  requestId: "request ID",
  copyQuery: "Copy log query",
  logQuery: "the log query",
};

/** The states of a job. */
export const JOB_SIGNS = { queued: "…", starting: "…", running: "▶", done: "✓", failed: "✗", partly: "!", cancelled: "■" };

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds > 0 && seconds < 0.0095) return seconds >= 0.00005 ? `${(seconds * 1000).toFixed(1)} ms` : `${Math.max(1, Math.round(seconds * 1e6))} µs`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** @param {number} number */
export function count(number) {
  return number.toLocaleString("en-US");
}

/**
 * Names a task: by its own name where it has one, else as a person counts.
 * @param {number} task from 0
 * @param {{head: {count: number | null}, names: string[]}} store
 */
export function item(task, { head, names }) {
  return names[task] ?? `Item ${count(task + 1)}${head?.count ? ` of ${count(head.count)}` : ""}`;
}

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, any>} attributes `text` is its text; functions are listeners
 * @param {...Node} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * Sets an element's text if it is another: an equal one would cost a layout, and be read aloud again.
 * @param {HTMLElement} where
 * @param {string} text
 */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
