/** The panel: draws what the model of the current notebook's kernel knows. */

import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { JobsConnection } from './connection';
import { IJob } from './messages';
import { Filter } from './model';
import { element, IActions, JobRow, write } from './row';
import { cost, count, WORDS } from './words';

const FILTERS: readonly [Filter, string][] = [
  ['all', 'All'],
  ['running', 'Running'],
  ['failed', 'Failed']
];
/** How often times are drawn while something runs. */
const TICK_MS = 500;

export class JobsPanel extends Widget {
  constructor(private _goToCell: (cell: string) => void, private _hasCell: (cell: string) => boolean) {
    super();
    this.id = 'lambdamagic-jobs';
    this.addClass('lm-panel');
    this.title.caption = WORDS.jobs;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', WORDS.jobs);
    const head = element('div', 'lm-panel-head');
    head.append(element('h2', 'lm-panel-title', WORDS.jobs), this._total);
    this._spoken.setAttribute('aria-live', 'polite');
    this._search.type = 'search';
    this._search.placeholder = 'Filter';
    this._search.setAttribute('aria-label', WORDS.filter);
    this._search.addEventListener('input', () => this.update());
    const filters = element('div', 'lm-filters');
    filters.setAttribute('role', 'group');
    filters.setAttribute('aria-label', WORDS.which);
    for (const [filter, name] of FILTERS) {
      const button = element('button', 'lm-filter', name);
      button.type = 'button';
      button.addEventListener('click', () => this._choose(filter));
      this._buttons.set(filter, button);
      filters.append(button);
    }
    this._bar.append(filters, this._search);
    this.node.append(head, this._bar, this._empty, this._list, this._spoken);
    this._choose('all');
  }

  /** Show another notebook's jobs; null when no notebook is open. */
  set connection(connection: JobsConnection | null) {
    if (connection !== this._connection) {
      this._connection?.model.changed.disconnect(this.update, this);
      this._connection = connection;
      connection?.model.changed.connect(this.update, this);
      this._rows.clear();
      this._list.replaceChildren();
      this.update();
    }
  }

  dispose(): void {
    this.connection = null;
    window.clearTimeout(this._timer);
    super.dispose();
  }

  protected onAfterShow(): void {
    this.update();
  }

  /** Lumino calls this once for all updates of a turn of the event loop. */
  protected onUpdateRequest(_: Message): void {
    window.clearTimeout(this._timer);
    if (!this.isVisible) {
      return; // closed or behind another: costs nothing
    }
    const model = this._connection?.model;
    const jobs = model?.shown(this._filter, this._search.value) ?? [];
    const all = model?.jobs.length ?? 0;
    this._bar.hidden = all === 0;
    this._drawTotal();
    this._drawEmpty(all, jobs.length);
    this._drawRows(jobs);
    if (model !== undefined && model.runningJobs > 0) {
      this._timer = window.setTimeout(() => this.update(), TICK_MS);
    }
  }

  private _drawTotal(): void {
    const model = this._connection?.model;
    const session = model?.session;
    write(this._total, session?.jobs ? [count(session.jobs, 'job'), cost(session)].filter(Boolean).join(' · ') : '');
    this._total.title = WORDS.totalTitle;
    const running = model?.runningJobs ?? 0;
    write(this._spoken, running ? `${count(running, 'job')} running` : '');
  }

  private _drawEmpty(all: number, shown: number): void {
    const model = this._connection?.model;
    let lines: string[] = [];
    if (model?.problem) {
      lines = [model.problem];
    } else if (this._connection === null) {
      lines = [WORDS.noNotebook];
    } else if (all > 0 && shown === 0) {
      lines = [WORDS.noMatch];
    } else if (all === 0) {
      lines = [WORDS.notLoaded, '%load_ext lambdamagic'];
      if (model?.isConnected) {
        lines = [WORDS.noJobs, '%%lambda'];
      } else if (model?.isWaiting) {
        lines = [WORDS.waiting];
      }
    }
    this._empty.hidden = lines.length === 0;
    const [text = '', code = ''] = lines;
    if (this._empty.dataset.text !== text + code) {
      this._empty.dataset.text = text + code;
      this._empty.replaceChildren(element('p', '', text), ...(code ? [element('code', 'lm-code', code)] : []));
    }
  }

  private _drawRows(jobs: IJob[]): void {
    const now = Date.now();
    const kept = new Set(jobs.map(job => job.id));
    for (const [id, row] of this._rows) {
      if (!kept.has(id)) {
        row.node.remove();
        this._rows.delete(id);
      }
    }
    jobs.forEach((job, place) => {
      let row = this._rows.get(job.id);
      if (row === undefined) {
        row = new JobRow(job, this._actions);
        this._rows.set(job.id, row);
      }
      row.update(job, this._connection!.model, now);
      if (this._list.children[place] !== row.node) {
        this._list.insertBefore(row.node, this._list.children[place] ?? null);
      }
    });
    this._list.hidden = jobs.length === 0;
  }

  private _choose(filter: Filter): void {
    this._filter = filter;
    for (const [name, button] of this._buttons) {
      button.setAttribute('aria-pressed', String(name === filter));
    }
    this.update();
  }

  private _actions: IActions = {
    cancel: job => this._connection?.cancel(job.id),
    retry: job => this._connection?.retry(job.id),
    save: job => this._connection?.askForTable(job.id),
    toggleLogs: job => {
      const connection = this._connection;
      const isOpen = connection?.model.asked(job.id).isLogsOpen;
      connection?.model.note(job.id, { isLogsOpen: !isOpen });
      if (!isOpen) {
        connection?.askForLogs(job.id);
      }
    },
    goToCell: job => this._goToCell(job.cell),
    hasCell: job => this._hasCell(job.cell)
  };

  private _connection: JobsConnection | null = null;
  private _filter: Filter = 'all';
  private _timer = 0;
  private _rows = new Map<string, JobRow>();
  private _buttons = new Map<Filter, HTMLButtonElement>();
  private _total = element('span', 'lm-panel-total');
  private _bar = element('div', 'lm-panel-bar');
  private _search = element('input', 'lm-search');
  private _empty = element('div', 'lm-empty');
  private _list = element('ul', 'lm-jobs');
  private _spoken = element('div', 'lm-spoken');
}
