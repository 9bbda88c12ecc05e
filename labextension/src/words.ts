/** Numbers as people say them; the same words as in the widget and the terminal. */

import { IJob, JobState } from './messages';

/** What the panel says to the user, except the lines that are put together from numbers. */
export const WORDS = {
  showJobs: 'Show jobs',
  notificationsOn: 'This browser will notify you when a long Lambda job ends while its tab is hidden.',
  notificationsOff: 'This browser blocks notifications here. JupyterLab will show them when you return to the tab.',
  busyCancel: 'The kernel is busy. The notebook’s stop button ■ cancels the job.',
  busyRetry: 'The kernel is busy. The tasks will run when the cell has ended.',
  asking: 'Asking the kernel…',
  busyTable: 'The kernel is busy. The table will be ready when the cell has ended.',
  jobs: 'Lambda jobs',
  runCell: 'Run This Cell on Lambda',
  runInKernel: 'Run this cell in the kernel again (removes the %%lambda line)',
  runOnLambda: 'Run this cell on Lambda (adds a %%lambda line)',
  cancelAll: 'Cancel All Lambda Jobs of This Notebook',
  noSettings: 'lambdamagic: could not read its settings; using the defaults.',
  saveTable: 'Save the table of tasks and results',
  filter: 'Filter jobs by words',
  which: 'Which jobs are shown',
  totalTitle: 'Since lambdamagic was loaded in this kernel, at list price',
  noNotebook: 'Open a notebook to see its jobs.',
  noMatch: 'No jobs match the filter.',
  noJobs: 'No jobs yet. Add this line above a cell, or press λ in its toolbar:',
  notLoaded: 'lambdamagic is not loaded in this kernel. Run this in a cell:',
  hideLogs: 'Hide logs',
  waiting: 'Waiting for the kernel…',
  noLogs: 'No logs yet.',
  saveTableOf: 'Save the table of',
  hideLogsOf: 'Hide logs of',
  logsOf: 'Logs of',
  goToCellOf: 'Go to the cell of',
  goToCell: 'Go to cell',
  showPanel: 'Show the Lambda jobs of this notebook',
  kernelGone: 'The kernel ended before this page received the result.',
  kernelGoneRunning: 'The kernel ended during the job. No more tasks are sent; tasks that were sent run to their end.'
};

/** A sign for each state, since many people cannot distinguish colors. */
export const SIGNS: Record<JobState, string> = { queued: '…', starting: '…', running: '▶', done: '✓', failed: '✗', partly: '!', cancelled: '■' };

/** The state of a job as a person says it. */
export function word(job: IJob): string {
  return (job.state === 'partly' && job.word) || job.state;
}

export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.0095) {
    return seconds >= 0.00005 ? `${(seconds * 1000).toFixed(1)} ms` : `${Math.max(1, Math.round(seconds * 1e6))} µs`;
  }
  if (seconds < 0.9995) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  const padded = (value: number): string => String(value).padStart(2, '0');
  if (minutes < 60) {
    return `${minutes} min ${padded(whole % 60)} s`;
  }
  return `${Math.floor(minutes / 60)} h ${padded(minutes % 60)} min`;
}

/** When something was, of this day by its time, else with the day. */
export function timeOfDay(seconds: number, nowMs: number): string {
  if (!seconds) {
    return '';
  }
  const at = new Date(seconds * 1000);
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return at.toDateString() === new Date(nowMs).toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`;
}

/** Smaller amounts are shown as less than this. */
const LEAST_USD = 0.0001;

export function money(usd: number): string {
  if (usd < LEAST_USD) {
    return usd > 0 ? '< $0.0001' : '$0';
  }
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

export function count(value: number, singular = '', plural = `${singular}s`): string {
  const shown = value.toLocaleString('en');
  return singular ? `${shown} ${value === 1 ? singular : plural}` : shown;
}

/** How far a job is; nothing for a job of one task. */
export function pace(job: IJob): string {
  const finished = job.done + job.failed;
  if (job.tasks === null) {
    return count(finished, 'task');
  }
  return job.tasks === 1 ? '' : `${count(finished)}/${count(job.tasks)} tasks`;
}

/** What a button says that has the unfinished tasks of a job run again. */
export function retry(job: IJob): string {
  const notRun = Math.max(0, (job.tasks ?? 0) - job.done - job.failed);
  return notRun ? `Run ${count(notRun + job.failed, 'unfinished task')}` : `Retry ${count(job.failed)} failed`;
}

/** The text in place of a running job's widget that this page cannot load yet. */
export function loading(job: IJob, elapsedS: number): string {
  const numbers = [pace(job), duration(elapsedS), job.tasks !== 1 && job.failed ? `${count(job.failed)} failed` : ''];
  const far = numbers.filter(Boolean).join(' · ');
  return `λ ${job.label} ${SIGNS[job.state]} ${word(job)} · ${far}. The page was reloaded. The rest is shown when the cell ends.`;
}

/** What is left to say of a job when its kernel has ended, in lines; the numbers are the last that were received. */
export function lost(job: IJob): string[] {
  const isOver = job.finishedAt !== null;
  const numbers = [pace(job), job.tasks !== 1 && job.failed ? `${count(job.failed)} failed` : '', cost(job), `job ${job.id}`];
  const lines = [
    `λ ${job.label} ${isOver ? `${SIGNS[job.state]} ${word(job)}` : '■ no longer followed'}`,
    numbers.filter(Boolean).join(' · ')
  ];
  if (isOver) {
    lines.push(WORDS.kernelGone);
  } else if (job.canAttach) {
    lines.push(`The kernel ended during the job. Tasks that were sent continue: %lambda attach ${job.id} reattaches to it.`);
  } else {
    lines.push(WORDS.kernelGoneRunning);
  }
  return lines;
}

/** What else is worth showing, most important first. */
export function facts(job: IJob): string[] {
  const parts: string[] = [];
  if (job.failed && job.tasks !== 1 && job.state !== 'partly') {
    parts.push(`${count(job.failed)} failed`);
  }
  if (job.retried) {
    parts.push(`${count(job.retried)} retried`);
  }
  if (job.throttled) {
    parts.push(`${count(job.throttled)} throttled`);
  }
  if (job.coldStarts) {
    parts.push(count(job.coldStarts, 'cold start'));
  }
  const memory = `${count(job.memoryMb)} MB`;
  if (job.memoryMb) {
    parts.push(job.peakMemoryMb ? `peak ${count(job.peakMemoryMb)} of ${memory}` : memory); // not known before it begins
  }
  return parts;
}

/** The cost of a job or a session as far as reported; `on AWS` marks a cost that is not billed. */
export function cost(of: { costUsd: number; isBilled: boolean; isAtLeast: boolean }): string {
  // "at least less than" would say nothing.
  if (!of.costUsd || (of.isAtLeast && of.costUsd < LEAST_USD)) {
    return '';
  }
  const amount = (of.isAtLeast ? 'at least ' : '') + money(of.costUsd);
  return of.isBilled ? amount : `${amount} on AWS`;
}

/** What of a notebook runs, in few words: its tasks, or its jobs while they have none, or what waits to begin. */
export function underWay(model: { runningTasks: number; jobs: readonly IJob[] }): string {
  if (model.runningTasks) {
    return `${count(model.runningTasks, 'task')} running`;
  }
  const states = model.jobs.map(job => job.state);
  const waiting = states.filter(state => state === 'queued').length;
  const running = states.filter(state => state === 'running' || state === 'starting').length;
  return running ? `${count(running, 'job')} running` : waiting ? `${count(waiting, 'job')} waiting` : 'idle';
}
