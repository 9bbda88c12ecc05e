/** What the extension does in a notebook's outputs: a result's buttons, results that a page missed, jobs without a kernel. */

import { Cell, CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import { IOutput } from '@jupyterlab/nbformat';
import { NotebookPanel } from '@jupyterlab/notebook';

import { JobsConnection } from './connection';
import { IJob, IResultMessage } from './messages';
import { isOver } from './model';
import { element, write } from './row';
import { loading, lost, retry, WORDS } from './words';

/** The placeholder of a widget that is not loaded yet. */
const LOADING = 'Loading widget...';
const WIDGET = 'application/vnd.jupyter.widget-view+json';
/** A result takes its widget's place at once when a job is over; what is not there after this time was missed. */
const MISSED_AFTER_MS = 1500;
/** It is asked for at growing distances, until one of them is as long as this. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Fill the places that results have for it with buttons, as long as the kernel knows their jobs. A saved notebook has
 * the empty places only.
 */
export function drawButtons(panel: NotebookPanel, connection: JobsConnection): void {
  const model = connection.model;
  for (const place of panel.content.node.querySelectorAll<HTMLElement>('.lmr-again[data-job]')) {
    const job = model.job(place.dataset.job ?? '');
    const note = job === undefined ? '' : model.asked(job.id).note;
    if (job === undefined || !(model.canRetry(job) || job.hasTable || note)) {
      place.replaceChildren();
      continue;
    }
    if (place.firstChild === null) {
      const again = button('', () => connection.retry(job.id));
      const table = button('CSV', () => connection.askForTable(job.id));
      table.title = WORDS.saveTable;
      const status = element('span', 'lm-again-note');
      status.setAttribute('role', 'status');
      place.append(again, table, status);
    }
    const [again, table, status] = [...place.children] as HTMLElement[];
    again!.hidden = !model.canRetry(job);
    write(again!, retry(job));
    table!.hidden = !model.canSave(job);
    write(status!, note);
  }
}

function button(text: string, act: () => void): HTMLButtonElement {
  const made = element('button', 'lm-button', text);
  made.type = 'button';
  made.addEventListener('click', act);
  return made;
}

/** Ask for the results of jobs that have ended and whose widget is still there: the page was reloaded meanwhile. */
export function askForMissed(panel: NotebookPanel, connection: JobsConnection): void {
  const model = connection.model;
  for (const job of model.jobs) {
    const looked = job.hasOutputs ? 'cell' : 'job';
    const before = model.asked(job.id).looked;
    if (isOver(job) && job.view && before !== 'cell' && before !== looked) {
      model.note(job.id, { looked });
      askFor(panel, connection, job, MISSED_AFTER_MS);
    }
  }
}

/** The kernel has no result before the cell has ended, and answers nothing until then: so again, later. */
function askFor(panel: NotebookPanel, connection: JobsConnection, job: IJob, afterMs: number): void {
  setTimeout(() => {
    if (!panel.isDisposed && widgets(panel, job.view).length > 0) {
      connection.askForResult(job.id);
      if (afterMs < LONGEST_WAIT_MS) {
        askFor(panel, connection, job, 2 * afterMs);
      }
    }
  }, afterMs);
}

/**
 * Make a place for the widgets of jobs that a page joined, and whose cells do not show them: the notebook was not
 * saved before the page was reloaded.
 */
export function makePlaces(panel: NotebookPanel, { model }: JobsConnection): void {
  for (const job of model.jobs) {
    const cell = panel.content.widgets.find(each => each.model.id === job.cell);
    if (isOver(job) || !job.view || !model.isJoined(job) || !(cell instanceof CodeCell)) {
      continue;
    }
    // A cell that this page runs itself has a future.
    if (!cell.outputArea.future && places(cell, job.view).length === 0) {
      const data = { [WIDGET]: { version_major: 2, version_minor: 0, model_id: job.view }, 'text/plain': LOADING };
      cell.model.trusted = true; // as of a cell that a page runs: nothing else is left in it
      cell.model.outputs.fromJSON([{ output_type: 'display_data', data, metadata: {} }]);
    }
  }
}

/**
 * Say how far jobs are whose widgets a page that was reloaded cannot load: a busy kernel does not list its
 * widgets, but continues to send its jobs.
 */
export function drawLoading(panel: NotebookPanel, { model }: JobsConnection): void {
  for (const job of model.jobs) {
    if (!job.view) {
      continue;
    }
    for (const cell of showing(panel, job.view)) {
      for (const node of cell.node.querySelectorAll<HTMLElement>('.jp-OutputArea-output')) {
        if (node.textContent === LOADING) {
          node.dataset.lambdamagic = job.id;
        }
        // As soon as the widget is there, the place is its own.
        if (node.dataset.lambdamagic === job.id && node.firstElementChild === null) {
          write(node, loading(job, model.elapsed(job, Date.now())));
        }
      }
    }
  }
}

/** Put a result that has come into the place of its job's widget, and what followed that below it. */
export function putResult(panel: NotebookPanel, { view, data, outputs: after }: IResultMessage): void {
  const shown: IOutput = { output_type: 'display_data', data, metadata: {} };
  for (const cell of showing(panel, view)) {
    const model = cell.model as ICodeCellModel;
    const [outputs, place] = places(cell, view)[0]!;
    if (!after) {
      outputs.set(place, shown);
      continue;
    }
    outputs.fromJSON([...outputs.toJSON().slice(0, place), shown, ...after]);
    const count = after.map(each => each.execution_count as number | undefined).find(each => each);
    model.executionCount = count ?? model.executionCount;
  }
}

/**
 * Put a last word into the places of widgets whose kernel has ended: nothing more would happen there, and in a saved
 * notebook there would be an error instead.
 */
export function putLost(panel: NotebookPanel, jobs: IJob[]): void {
  for (const job of jobs) {
    for (const [outputs, place] of job.view ? widgets(panel, job.view) : []) {
      const [head, ...rest] = lost(job);
      const box = element('div', 'lmr-lost mathjax_ignore tex2jax_ignore');
      box.setAttribute('style', 'margin: 4px 0');
      box.append(element('b', '', head), ...rest.map(line => element('div', '', line)));
      const data = { 'text/html': box.outerHTML, 'text/plain': [head, ...rest].join('\n') };
      outputs.set(place, { output_type: 'display_data', data, metadata: {} });
    }
  }
}

/** Where a notebook's outputs show a widget. */
function widgets(panel: NotebookPanel, view: string): [ICodeCellModel['outputs'], number][] {
  return panel.content.widgets.flatMap(cell => places(cell, view));
}

/** The cells whose outputs show a widget. */
function showing(panel: NotebookPanel, view: string): Cell[] {
  return panel.content.widgets.filter(cell => places(cell, view).length > 0);
}

function places(cell: Cell, view: string): [ICodeCellModel['outputs'], number][] {
  const found: [ICodeCellModel['outputs'], number][] = [];
  if (cell.model.type === 'code') {
    const outputs = (cell.model as ICodeCellModel).outputs;
    for (let place = 0; place < outputs.length; place++) {
      const shown = outputs.get(place).data[WIDGET] as { model_id?: string } | undefined;
      if (shown?.model_id === view) {
        found.push([outputs, place]);
      }
    }
  }
  return found;
}
