/** One job in the panel: elements that are made once and then kept up to date. */

import { IJob } from './messages';
import { isOver, JobsModel } from './model';
import { cost, count, duration, facts, pace, retry, SIGNS, timeOfDay, word, WORDS } from './words';

/** What a person can do with a job. */
export interface IActions {
  cancel(job: IJob): void;
  retry(job: IJob): void;
  save(job: IJob): void;
  toggleLogs(job: IJob): void;
  goToCell(job: IJob): void;
  hasCell(job: IJob): boolean;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = ''
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Write a text only if it is another: what is selected or read aloud is not disturbed. */
export function write(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export class JobRow {
  readonly node = element('li', 'lm-job');

  constructor(
    private _job: IJob,
    actions: IActions
  ) {
    this._button(this._cancel, () => actions.cancel(this._job));
    this._button(this._retry, () => actions.retry(this._job));
    this._button(this._save, () => actions.save(this._job));
    this._button(this._logs, () => actions.toggleLogs(this._job));
    this._button(this._cell, () => actions.goToCell(this._job));
    this._hasCell = () => actions.hasCell(this._job);
    const head = element('div', 'lm-job-head');
    head.append(this._sign, this._label, this._state);
    this._sign.setAttribute('aria-hidden', 'true');
    this._bar.append(this._done, this._failed, this._running);
    this._bar.setAttribute('role', 'progressbar');
    this._bar.setAttribute('aria-valuemin', '0');
    this._note.setAttribute('role', 'status');
    this._text.tabIndex = 0;
    this._text.setAttribute('role', 'region');
    const buttons = element('div', 'lm-job-buttons');
    buttons.append(this._cell, this._logs, this._save, this._retry, this._cancel);
    this.node.append(head, this._bar, this._pace, this._facts, this._error, this._note, buttons, this._text);
  }

  /** Draw a job as it is now. */
  update(job: IJob, model: JobsModel, nowMs: number): void {
    this._job = job;
    const asked = model.asked(job.id);
    this.node.dataset.state = job.state;
    write(this._sign, SIGNS[job.state] ?? '?');
    write(this._label, job.label);
    this._label.title = `${job.label}\njob ${job.id}`;
    write(this._state, asked.isCancelling ? 'cancelling…' : word(job));
    this._drawBar(job);
    const parts = [timeOfDay(job.startedAt, nowMs), pace(job), duration(model.elapsed(job, nowMs)), cost(job)];
    if (job.leftS !== null && !isOver(job)) {
      parts.splice(3, 0, `about ${duration(job.leftS).replace('.0 s', ' s')} left`);
    }
    write(this._pace, parts.filter(Boolean).join(' · '));
    write(this._facts, facts(job).join(' · '));
    show(this._error, job.error);
    show(this._note, asked.note || job.note);
    this._cancel.hidden = isOver(job);
    this._cancel.disabled = asked.isCancelling;
    this._retry.hidden = !model.canRetry(job);
    write(this._retry, retry(job));
    this._save.hidden = !model.canSave(job);
    this._cell.hidden = !this._hasCell();
    write(this._logs, asked.isLogsOpen ? WORDS.hideLogs : 'Logs');
    this._logs.setAttribute('aria-expanded', String(asked.isLogsOpen));
    this._text.hidden = !asked.isLogsOpen;
    if (asked.isLogsOpen) {
      write(this._text, asked.logs === null ? WORDS.waiting : asked.logs || WORDS.noLogs);
    }
    for (const [button, what] of [
      [this._cancel, 'Cancel'],
      [this._retry, `${retry(job)} of`],
      [this._save, WORDS.saveTableOf],
      [this._logs, asked.isLogsOpen ? WORDS.hideLogsOf : WORDS.logsOf],
      [this._cell, WORDS.goToCellOf]
    ] as const) {
      button.setAttribute('aria-label', `${what} ${job.label}`);
    }
    this._text.setAttribute('aria-label', `Logs of ${job.label}`);
  }

  private _drawBar(job: IJob): void {
    const finished = job.done + job.failed;
    const all = Math.max(1, job.tasks ?? finished + job.running);
    const share = (tasks: number): string => `${(100 * tasks) / all}%`;
    this._bar.hidden = job.tasks === 1 && isOver(job);
    this._bar.classList.toggle('lm-unknown', job.tasks === 1 && !isOver(job));
    this._done.style.width = share(job.done);
    this._failed.style.width = share(job.failed);
    this._running.style.width = share(isOver(job) ? 0 : Math.min(job.running, all - finished));
    this._bar.setAttribute('aria-valuemax', String(all));
    this._bar.setAttribute('aria-valuenow', String(finished));
    this._bar.setAttribute('aria-valuetext', `${count(finished)} of ${count(all, 'task')}`);
    this._bar.setAttribute('aria-label', `Progress of ${job.label}`);
  }

  private _button(button: HTMLButtonElement, act: () => void): void {
    button.type = 'button';
    button.addEventListener('click', act);
  }

  private _hasCell: () => boolean;
  private _sign = element('span', 'lm-job-sign');
  private _label = element('span', 'lm-job-label');
  private _state = element('span', 'lm-job-state');
  private _bar = element('div', 'lm-job-bar');
  private _done = element('div', 'lm-bar-done');
  private _failed = element('div', 'lm-bar-failed');
  private _running = element('div', 'lm-bar-running');
  private _pace = element('div', 'lm-job-pace');
  private _facts = element('div', 'lm-job-facts');
  private _error = element('div', 'lm-job-error');
  private _note = element('div', 'lm-job-note');
  private _text = element('pre', 'lm-job-logs');
  private _cancel = element('button', 'lm-button', 'Cancel');
  private _retry = element('button', 'lm-button');
  private _save = element('button', 'lm-button', 'CSV');
  private _logs = element('button', 'lm-button', 'Logs');
  private _cell = element('button', 'lm-button', WORDS.goToCell);
}

function show(node: HTMLElement, text: string): void {
  write(node, text);
  node.hidden = !text;
}
