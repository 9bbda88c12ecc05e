/** The messages between kernel and page. Examples that both are tested against: tests/fixtures/comm. */

import { IOutput } from '@jupyterlab/nbformat';

/** The comm's target, and the version of the messages that this page understands. */
export const TARGET = 'lambdamagic.jobs';
export const VERSION = 1;

export type JobState = 'queued' | 'starting' | 'running' | 'done' | 'failed' | 'partly' | 'cancelled';

/** One job; times in seconds since the epoch, by the kernel's clock. */
export interface IJob {
  id: string;
  label: string;
  /** The id of the notebook's cell that started it; empty when that is not known. */
  cell: string;
  state: JobState;
  /** The state in words, where they are others. */
  word?: string;
  /** What it waits for before it can begin; empty otherwise. */
  note: string;
  error: string;
  /** null while it is not known how many there will be. */
  tasks: number | null;
  done: number;
  failed: number;
  running: number;
  retried: number;
  throttled: number;
  coldStarts: number;
  memoryMb: number;
  peakMemoryMb: number;
  startedAt: number;
  finishedAt: number | null;
  leftS: number | null;
  billedMs: number;
  costUsd: number;
  /** Whether AWS bills it; on the embedded Lambda the cost is what it would be. */
  isBilled: boolean;
  /** Whether the cost leaves out invocations that were cancelled or lost: their use is unknown. */
  isAtLeast: boolean;
  /** Whether what failed or did not run can be run again, once the job is over. */
  canRetry: boolean;
  /** Whether there is a table of its tasks to be saved. */
  hasTable: boolean;
  /** Whether it continues without its kernel, and another can reattach to it (modes `event` and `trigger`). */
  canAttach: boolean;
  /** The id of the widget's model that shows it; empty when none does. */
  view: string;
  /** Whether its cell has ended, and the kernel keeps what followed the widget there. */
  hasOutputs?: boolean;
}

/** All that this kernel ran since lambdamagic was loaded. */
export interface ISession {
  jobs: number;
  costUsd: number;
  isBilled: boolean;
  isAtLeast: boolean;
}

/** Jobs that changed, each whole; with `whole` these are all that there are. */
export interface IJobsMessage {
  kind: 'jobs';
  version: number;
  whole: boolean;
  now: number;
  jobs: IJob[];
  session: ISession;
}

export interface ILogsMessage {
  kind: 'logs';
  job: string;
  text: string;
}

export interface IRefusedMessage {
  kind: 'refused';
  to: string;
  job: string;
  reason: string;
}

/** What failed of a job runs again, as soon as no cell runs. */
export interface IRetryingMessage {
  kind: 'retrying';
  job: string;
}

/** The tasks of a job as CSV. */
export interface ITableMessage {
  kind: 'table';
  job: string;
  csv: string;
}

/** What took the widget's place when the job was over, for a page that was not there. */
export interface IResultMessage {
  kind: 'result';
  job: string;
  view: string;
  /** What followed the widget in its cell; null where the kernel does not know. */
  outputs?: IOutput[] | null;
  data: { [mimeType: string]: string };
}

export type FromKernel =
  | IJobsMessage
  | ILogsMessage
  | IRefusedMessage
  | IRetryingMessage
  | ITableMessage
  | IResultMessage;

export type ToKernel = { kind: 'hello' } | { kind: 'logs' | 'cancel' | 'retry' | 'table' | 'result'; job: string };

/** Whether something that arrived is a message of ours. */
export function isFromKernel(data: unknown): data is FromKernel {
  const kind = (data as { kind?: unknown } | null)?.kind;
  return ['jobs', 'logs', 'refused', 'retrying', 'table', 'result'].includes(kind as string);
}
