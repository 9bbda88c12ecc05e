/** What a page knows of the jobs of one kernel. It draws nothing and sends nothing. */

import { ISignal, Signal } from '@lumino/signaling';

import { FromKernel, IJob, IResultMessage, ISession, ITableMessage, VERSION } from './messages';
import { word } from './words';

export type Filter = 'all' | 'running' | 'failed';

/** What was asked of the kernel for a job, and the outcome. */
export interface IAsked {
  /** Whether a cancel was sent and the job has not ended yet. */
  isCancelling: boolean;
  /** The text of its logs; null when they have not come. */
  logs: string | null;
  isLogsOpen: boolean;
  note: string;
  /** Whether a retry was sent, and was not refused. */
  isRetried: boolean;
  /** Whether this page, and not another, asked for the table of its tasks. */
  isTableAsked: boolean;
  /** Whether it was looked after whether the page has the job's result: after the job's end, and after its cell's. */
  looked: 'no' | 'job' | 'cell';
}

const NOTHING_ASKED: Readonly<IAsked> = {
  isCancelling: false,
  logs: null,
  isLogsOpen: false,
  note: '',
  isRetried: false,
  isTableAsked: false,
  looked: 'no'
};
const NO_SESSION: ISession = { jobs: 0, costUsd: 0, isBilled: false, isAtLeast: false };

export function isOver(job: IJob): boolean {
  return job.finishedAt !== null;
}

/** How many tasks of a job have no value: those that failed, and those that did not run. */
export function unfinished(job: IJob): number {
  return Math.max(0, (job.tasks ?? 0) - job.done);
}

export class JobsModel {
  /** Something that is shown has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A job has ended that this page saw running. */
  get ended(): ISignal<this, IJob> {
    return this._ended;
  }

  /** A job's result has come that this page missed. */
  get result(): ISignal<this, IResultMessage> {
    return this._result;
  }

  /** A table has come that this page asked for. */
  get table(): ISignal<this, ITableMessage> {
    return this._table;
  }

  /** The kernel has ended; these are the jobs that it had, as last received. */
  get lost(): ISignal<this, IJob[]> {
    return this._lost;
  }

  /** Whether lambdamagic is loaded in the kernel. */
  get isConnected(): boolean {
    return this._isConnected;
  }

  /** Whether the kernel was asked and has not answered yet: it starts, or is busy. */
  get isWaiting(): boolean {
    return this._isWaiting;
  }

  wait(isWaiting: boolean): void {
    if (this._isWaiting !== isWaiting) {
      this._isWaiting = isWaiting;
      this._changed.emit();
    }
  }

  /** Why the kernel's messages are not understood; empty when they are. */
  get problem(): string {
    return this._problem;
  }

  get session(): ISession {
    return this._session;
  }

  /** All jobs, the latest first. */
  get jobs(): IJob[] {
    return [...this._jobs.values()].sort((a, b) => b.startedAt - a.startedAt || (b.id > a.id ? 1 : -1));
  }

  get runningTasks(): number {
    return this.jobs.reduce((sum, job) => sum + (isOver(job) ? 0 : job.running), 0);
  }

  get runningJobs(): number {
    return this.jobs.filter(job => !isOver(job)).length;
  }

  /** The jobs that a filter and words leave; each word must be in the label, the state, the id or the error. */
  shown(filter: Filter, words = ''): IJob[] {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.jobs.filter(job => {
      if ((filter === 'running' && isOver(job)) || (filter === 'failed' && !['failed', 'partly'].includes(job.state))) {
        return false;
      }
      const text = `${job.label} ${word(job)} ${job.id} ${job.error}`.toLowerCase();
      return wanted.every(each => text.includes(each));
    });
  }

  /** The latest job of each cell that started one. */
  byCell(): Map<string, IJob> {
    const found = new Map<string, IJob>();
    for (const job of this.jobs) {
      if (job.cell && !found.has(job.cell)) {
        found.set(job.cell, job);
      }
    }
    return found;
  }

  /** Whether a person may have what is unfinished of a job run again. */
  canRetry(job: IJob): boolean {
    return job.canRetry && isOver(job) && unfinished(job) > 0 && !this.asked(job.id).isRetried;
  }

  /** Whether a person may save the table of a job's tasks. */
  canSave(job: IJob): boolean {
    return job.hasTable && job.done + job.failed > 0 && !this.asked(job.id).isTableAsked;
  }

  /** Whether a job ran already when this page came: what the kernel sent before is not there. */
  isJoined(job: IJob): boolean {
    return this._joined.has(job.id);
  }

  job(id: string): IJob | undefined {
    return this._jobs.get(id);
  }

  asked(job: string): Readonly<IAsked> {
    return this._asked.get(job) ?? NOTHING_ASKED;
  }

  /** Seconds from a job's start to its end, or to `nowMs` of this page's clock, which may differ from the kernel's. */
  elapsed(job: IJob, nowMs: number): number {
    const now = nowMs / 1000 + (this._clockDifference ?? 0);
    return Math.max(0, (job.finishedAt ?? now) - job.startedAt);
  }

  /** Take in a message of the kernel. */
  take(message: FromKernel, nowMs: number): void {
    if (message.kind === 'logs') {
      this.note(message.job, { logs: message.text });
    } else if (message.kind === 'refused') {
      this.note(message.job, { isCancelling: false, isRetried: false, isTableAsked: false, note: message.reason });
    } else if (message.kind === 'retrying') {
      this.note(message.job, { note: '' });
    } else if (message.kind === 'table') {
      // The kernel sends to all pages.
      if (this.asked(message.job).isTableAsked) {
        this.note(message.job, { isTableAsked: false, note: '' });
        this._table.emit(message);
      }
    } else if (message.kind === 'result') {
      this._result.emit(message);
    } else if (message.version !== VERSION) {
      const where = message.version > VERSION ? 'JupyterLab’s environment' : 'the kernel’s environment';
      this._problem = `The kernel and JupyterLab have different versions of lambdamagic: upgrade it in ${where}.`;
      this._changed.emit();
    } else {
      this._session = message.session;
      // A message may have waited for a page that was reloaded; the one that waited least shows the clocks' difference.
      this._clockDifference = Math.max(this._clockDifference ?? -Infinity, message.now - nowMs / 1000);
      this._isConnected = true;
      this._problem = '';
      const ended = this._takeJobs(message.jobs, message.whole);
      this._changed.emit();
      ended.forEach(job => this._ended.emit(job));
    }
  }

  /** Note what was asked for a job, or the outcome. */
  note(job: string, what: Partial<IAsked>): void {
    this._asked.set(job, { ...this.asked(job), ...what });
    this._changed.emit();
  }

  /** Another comm, or none: what was known is no longer there to be asked for. */
  clear(): void {
    this._jobs.clear();
    this._asked.clear();
    this._joined.clear();
    this._isGreeted = false;
    this._session = NO_SESSION;
    this._clockDifference = null;
    this._isConnected = false;
    this._problem = '';
    this._changed.emit();
  }

  /** The kernel has ended, and its jobs are no longer followed. */
  lose(): void {
    const jobs = this.jobs;
    this.clear();
    this._lost.emit(jobs);
  }

  private _takeJobs(jobs: IJob[], whole: boolean): IJob[] {
    const before = new Map(this._jobs);
    if (whole) {
      this._jobs.clear();
    }
    if (!this._isGreeted) {
      jobs.filter(job => !isOver(job)).forEach(job => this._joined.add(job.id));
      this._isGreeted = whole;
    }
    for (const job of jobs) {
      this._jobs.set(job.id, job);
      const asked = this._asked.get(job.id);
      if (asked !== undefined && isOver(job)) {
        this._asked.set(job.id, { ...asked, isCancelling: false, note: '' });
      }
    }
    return jobs.filter(job => {
      const known = before.get(job.id);
      return known !== undefined && !isOver(known) && isOver(job);
    });
  }

  private _jobs = new Map<string, IJob>();
  private _asked = new Map<string, IAsked>();
  private _joined = new Set<string>();
  /** Whether the kernel has sent all that it has. */
  private _isGreeted = false;
  private _session = NO_SESSION;
  private _isConnected = false;
  private _isWaiting = false;
  private _problem = '';
  private _clockDifference: number | null = null;
  private _changed = new Signal<this, void>(this);
  private _ended = new Signal<this, IJob>(this);
  private _table = new Signal<this, ITableMessage>(this);
  private _lost = new Signal<this, IJob[]>(this);
  private _result = new Signal<this, IResultMessage>(this);
}
