/** Numbers as people say them; the same words as in the widget and the terminal. */

import { IJob, JobState } from './messages';

/** A sign for each state, since color alone tells nothing to many. */
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

/** Less is told as less than this. */
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

/** What stands in the place of a running job's widget that this page cannot load yet. */
export function loading(job: IJob, elapsedS: number): string {
  const numbers = [pace(job), duration(elapsedS), job.tasks !== 1 && job.failed ? `${count(job.failed)} failed` : ''];
  const far = numbers.filter(Boolean).join(' · ');
  return `λ ${job.label} ${SIGNS[job.state]} ${word(job)} · ${far}. The page was reloaded: the rest is shown when the cell ends.`;
}

/** What is left to say of a job when its kernel has ended, in lines; the numbers are the last that were heard. */
export function lost(job: IJob): string[] {
  const isOver = job.finishedAt !== null;
  const numbers = [pace(job), job.tasks !== 1 && job.failed ? `${count(job.failed)} failed` : '', cost(job), `job ${job.id}`];
  const lines = [
    `λ ${job.label} ${isOver ? `${SIGNS[job.state]} ${word(job)}` : '■ no longer followed'}`,
    numbers.filter(Boolean).join(' · ')
  ];
  if (isOver) {
    lines.push('The kernel ended before this page had the result.');
  } else if (job.canAttach) {
    lines.push(`The kernel ended while the job ran. What was sent goes on: %lambda attach ${job.id} takes it up.`);
  } else {
    lines.push('The kernel ended while the job ran: nothing more is sent, and what was sent ends by itself.');
  }
  return lines;
}

/** What else is worth telling, most important first. */
export function facts(job: IJob): string[] {
  const told: string[] = [];
  if (job.failed && job.tasks !== 1 && job.state !== 'partly') {
    told.push(`${count(job.failed)} failed`);
  }
  if (job.retried) {
    told.push(`${count(job.retried)} retried`);
  }
  if (job.throttled) {
    told.push(`${count(job.throttled)} throttled`);
  }
  if (job.coldStarts) {
    told.push(count(job.coldStarts, 'cold start'));
  }
  const memory = `${count(job.memoryMb)} MB`;
  if (job.memoryMb) {
    told.push(job.peakMemoryMb ? `peak ${count(job.peakMemoryMb)} of ${memory}` : memory); // not known before it begins
  }
  return told;
}

/** What a job or a session cost, as far as that was told; `on AWS` tells that nobody pays it. */
export function cost(of: { costUsd: number; isBilled: boolean; isAtLeast: boolean }): string {
  if (!of.costUsd) {
    return '';
  }
  // At least less than something would tell nothing.
  const told = !of.isAtLeast ? money(of.costUsd) : `at least ${of.costUsd < LEAST_USD ? '$0' : money(of.costUsd)}`;
  return of.isBilled ? told : `${told} on AWS`;
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
