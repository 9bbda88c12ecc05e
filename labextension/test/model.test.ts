/** How the page handles the kernel's messages; the examples are those that the kernel's side is tested against. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { FromKernel, IJob, IJobsMessage, isFromKernel, ToKernel } from '../src/messages';
import { hasOtherMagic, runsOnLambda, toggled } from '../src/magicline';
import { JobsModel } from '../src/model';
import { cost, duration, facts, loading, lost, money, pace, retry, underWay } from '../src/words';

const EXAMPLES = join(process.cwd(), '..', 'tests', 'fixtures', 'comm');
const JOB = '20260101-000000-abcdef01';

function example<T = FromKernel>(name: string): T {
  return JSON.parse(readFileSync(join(EXAMPLES, `${name}.json`), 'utf-8')) as T;
}

function told(...names: string[]): JobsModel {
  const model = new JobsModel();
  names.forEach(name => model.take(example(name), 0));
  return model;
}

function running(more: Partial<IJob> = {}): IJobsMessage {
  const message = example<IJobsMessage>('whole');
  const job = { ...message.jobs[0]!, state: 'running', finishedAt: null, error: '', ...more } as IJob;
  return { ...message, jobs: [job] };
}

test('what JupyterLab shares is asked for in the versions that the extension works with, not those of its build', () => {
  const { dependencies, jupyterlab } = JSON.parse(readFileSync('package.json', 'utf-8')) as {
    dependencies: Record<string, string>;
    jupyterlab: { sharedPackages: Record<string, { requiredVersion: string }> };
  };
  const shared = Object.entries(jupyterlab.sharedPackages).map(([name, { requiredVersion }]) => [name, requiredVersion]);
  assert.deepEqual(
    shared,
    Object.entries(dependencies).filter(([name]) => name.startsWith('@jupyterlab/'))
  );
});

test('every example of a kernel message is one', () => {
  for (const name of ['whole', 'change', 'logs', 'refused', 'retrying', 'table', 'result']) {
    assert.ok(isFromKernel(example(name)), name);
  }
  assert.ok(!isFromKernel({ kind: 'other' }));
  assert.ok(!isFromKernel(null));
});

test('a page has joined the jobs that run when it comes, not those that begin later', () => {
  const model = new JobsModel();
  model.take({ ...running(), whole: false }, 0);
  model.take(running(), 0);
  assert.ok(model.isJoined(model.jobs[0]!));
  model.clear();
  model.take({ ...running(), jobs: [] }, 0);
  model.take({ ...running(), whole: false }, 0);
  assert.ok(!model.isJoined(model.jobs[0]!));
});

test('every kind of message that a page sends has an example', () => {
  const kinds: ToKernel['kind'][] = ['hello', 'logs', 'cancel', 'retry', 'table', 'result'];
  assert.deepEqual(
    example<ToKernel[]>('to_kernel').map(message => message.kind),
    kinds
  );
});

test('a whole message is all that there is, a change replaces a job', () => {
  const model = told('whole');
  assert.ok(model.isConnected);
  assert.equal(model.jobs[0]!.state, 'failed');
  assert.equal(cost(model.session), '$0.0025');
  model.take(example('change'), 0);
  assert.deepEqual(
    model.jobs.map(job => [job.id, job.label, job.state]),
    [[JOB, 'submit', 'running']]
  );
  model.take({ ...example<IJobsMessage>('whole'), jobs: [] }, 0);
  assert.deepEqual(model.jobs, []);
});

test('filters and words leave the jobs that match all of them', () => {
  const model = told('whole');
  model.take({ ...running({ id: 'other', label: 'fit models', startedAt: 2000 }), whole: false }, 0);
  const labels = (...of: Parameters<JobsModel['shown']>): string[] => model.shown(...of).map(job => job.id);
  assert.deepEqual(labels('all'), ['other', JOB]);
  assert.deepEqual(labels('running'), ['other']);
  assert.deepEqual(labels('failed'), [JOB]);
  assert.deepEqual(labels('all', 'FIT run'), ['other']);
  assert.deepEqual(labels('all', 'fit failed'), []);
});

test('the end of a job is reported once, and pending requests are over', () => {
  const model = new JobsModel();
  const ended: string[] = [];
  model.ended.connect((_, job) => ended.push(job.id));
  model.take(example('whole'), 0);
  assert.deepEqual(ended, [], 'it had ended before this page came');
  model.take(running(), 0);
  model.note(JOB, { isCancelling: true, note: 'busy' });
  model.take(example('whole'), 0);
  model.take(example('whole'), 0);
  assert.deepEqual(ended, [JOB]);
  assert.deepEqual([model.asked(JOB).isCancelling, model.asked(JOB).note], [false, '']);
});

test('answers reach their job', () => {
  const model = told('whole', 'logs', 'refused');
  assert.equal(model.asked(JOB).logs, `logs of ${JOB}`);
  assert.equal(model.asked(JOB).note, 'This job has already ended.');
});

test('what is unfinished of a job that is over can be run again, once', () => {
  const model = told('whole');
  const job = model.job(JOB)!;
  assert.ok(model.canRetry(job));
  assert.ok(!model.canRetry({ ...job, done: 4 }), 'nothing is unfinished');
  assert.ok(!model.canRetry({ ...job, finishedAt: null }), 'it still runs');
  assert.ok(!model.canRetry({ ...job, canRetry: false }), 'the kernel has not kept it');
  model.note(JOB, { isRetried: true, note: 'Asking the kernel…' });
  assert.ok(!model.canRetry(job));
  model.take(example('retrying'), 0);
  assert.deepEqual([model.canRetry(job), model.asked(JOB).note], [false, '']);
  model.take(example('refused'), 0);
  assert.ok(model.canRetry(job), 'it was refused');
  assert.equal(retry({ ...job, failed: 1, done: 3 }), 'Retry 1 failed');
  assert.equal(retry({ ...job, tasks: 2000, failed: 21 }), 'Run 1,999 unfinished tasks');
});

test('a table is saved by the page that asked for it, and no other', () => {
  const model = told('whole');
  const saved: string[] = [];
  model.table.connect((_, table) => saved.push(table.csv));
  const job = model.job(JOB)!;
  assert.ok(model.canSave(job));
  assert.ok(!model.canSave({ ...job, hasTable: false }), 'a cell has none');
  assert.ok(!model.canSave({ ...job, done: 0, failed: 0 }), 'nothing is in it');
  model.take(example('table'), 0);
  assert.deepEqual(saved, []);
  model.note(JOB, { isTableAsked: true });
  assert.ok(!model.canSave(job), 'it is on its way');
  model.take(example('table'), 0);
  model.take(example('table'), 0);
  assert.deepEqual(saved, ['task,state\r\n0,done\r\n']);
});

test('a result that was missed is handed on', () => {
  const model = told('whole');
  const views: string[] = [];
  model.result.connect((_, result) => views.push(result.view));
  model.take(example('result'), 0);
  assert.deepEqual(views, ['model-1']);
});

test('times go by the kernel’s clock, whatever the page’s says', () => {
  const model = new JobsModel();
  model.take(running(), 5_000_000);
  const job = model.jobs[0]!;
  assert.equal(model.elapsed(job, 5_000_000), 20);
  assert.equal(model.elapsed(job, 5_001_500), 21.5);
  assert.equal(model.elapsed({ ...job, finishedAt: 1010 }, 5_001_500), 10);
});

test('a message that waited for the page sets no clock back', () => {
  const model = new JobsModel();
  model.take(running(), 5_004_000);
  const job = model.jobs[0]!;
  assert.equal(model.elapsed(job, 5_004_000), 20, 'all that is known');
  model.take({ ...running(), now: 1024.5 }, 5_004_500);
  assert.equal(model.elapsed(job, 5_004_500), 24.5);
  model.take({ ...running(), now: 1021 }, 5_005_000);
  assert.equal(model.elapsed(job, 5_005_000), 25);
});

test('a version that is not known is a problem that says what to do', () => {
  const model = told('whole');
  model.take({ ...example<IJobsMessage>('whole'), version: 99 }, 0);
  assert.match(model.problem, /upgrade it in JupyterLab/);
  model.take(example('whole'), 0);
  assert.equal(model.problem, '');
});

test('a kernel that goes takes its jobs with it', () => {
  const model = told('whole', 'logs');
  model.clear();
  assert.deepEqual([model.jobs, model.isConnected, model.session.jobs], [[], false, 0]);
});

test('a kernel that ends loses its jobs, and what is said of them is true', () => {
  const model = told('whole');
  const gone: string[] = [];
  model.lost.connect((_, jobs) => gone.push(...jobs.map(job => job.id)));
  model.clear();
  assert.deepEqual(gone, [], 'another comm is no end of the kernel');
  model.take(running({ done: 2 }), 0);
  model.lose();
  assert.deepEqual([gone, model.jobs], [[JOB], []]);
  const job = running({ done: 2, isBilled: false }).jobs[0]!;
  assert.deepEqual(lost(job).slice(0, 2), [
    'λ evaluate × 10 ■ no longer followed',
    `3/4 tasks · 1 failed · $0.0025 on AWS · job ${JOB}`
  ]);
  assert.match(lost(job)[2]!, /run to their end/);
  assert.match(lost({ ...job, canAttach: true })[2]!, new RegExp(`%lambda attach ${JOB} reattaches to it`));
  assert.match(lost({ ...job, state: 'failed', finishedAt: 1010 })[0]!, /✗ failed$/);
  assert.match(lost({ ...job, state: 'partly', word: '1 of 4 failed', finishedAt: 1010 })[0]!, /! 1 of 4 failed$/);
});

test('how far a job is stands where its widget cannot be loaded', () => {
  const told = loading(running({ done: 2 }).jobs[0]!, 12);
  assert.match(told, /^λ evaluate × 10 ▶ running · 3\/4 tasks · 12\.0 s · 1 failed\. The page was reloaded/);
});

test('the latest job of a cell is its badge', () => {
  const model = told('whole');
  model.take({ ...running({ id: 'later', startedAt: 2000 }), whole: false }, 0);
  model.take({ ...running({ id: 'nowhere', cell: '' }), whole: false }, 0);
  assert.deepEqual([...model.byCell()].map(([cell, job]) => [cell, job.id]), [['cell-1', 'later']]);
});

test('the line is added and removed, and the body stays as it was', () => {
  const body = 'x = 1\n\nx';
  assert.equal(toggled(body), `%%lambda\n${body}`);
  assert.equal(toggled(body, '%%lambda --memory 4096'), `%%lambda --memory 4096\n${body}`);
  assert.equal(toggled(`%%lambda --memory 4096\n${body}`), body);
  assert.equal(toggled(`\n%%lambda\n${body}`), body);
  assert.equal(toggled('%%lambda'), '');
  assert.equal(toggled(''), '%%lambda\n');
});

test('other magics are distinguished', () => {
  assert.ok(runsOnLambda('%%lambda\nx'));
  assert.ok(!runsOnLambda('%%lambda_map n in ns\nn'));
  assert.ok(!runsOnLambda('x = 1\n%%lambda'));
  assert.ok(hasOtherMagic('%%lambda_map n in ns\nn'));
  assert.ok(hasOtherMagic('%%time\nx'));
  assert.ok(!hasOtherMagic('%time x'));
  assert.ok(!hasOtherMagic('%%lambda\nx'));
});

test('numbers are shown as in the widget', () => {
  assert.deepEqual([0.02, 2.25, 59.96, 61, 7260].map(duration), ['20 ms', '2.3 s', '1 min 00 s', '1 min 01 s', '2 h 01 min']);
  assert.deepEqual([0, 0.00001, 0.0025, 1.5].map(money), ['$0', '< $0.0001', '$0.0025', '$1.50']);
  const job = running({ tasks: 2000, done: 1200, failed: 3, retried: 4, isBilled: false }).jobs[0]!;
  assert.equal(pace(job), '1,203/2,000 tasks');
  assert.deepEqual(facts(job), ['3 failed', '4 retried', '1 cold start', 'peak 100 of 512 MB']);
  assert.equal(cost(job), '$0.0025 on AWS');
  assert.equal(cost({ ...job, isAtLeast: true }), 'at least $0.0025 on AWS');
  assert.equal(cost({ ...job, isAtLeast: true, costUsd: 0.00001 }), '');
});

test('the status bar shows running tasks, or running jobs without tasks, or waiting jobs', () => {
  const jobs = (...states: IJob['state'][]): IJob[] => states.map(state => ({ ...running().jobs[0]!, state }));
  assert.equal(underWay({ runningTasks: 12, jobs: jobs('running', 'queued') }), '12 tasks running');
  assert.equal(underWay({ runningTasks: 0, jobs: jobs('starting', 'queued', 'done') }), '1 job running');
  assert.equal(underWay({ runningTasks: 0, jobs: jobs('queued', 'queued', 'failed') }), '2 jobs waiting');
  assert.equal(underWay({ runningTasks: 0, jobs: jobs('done') }), 'idle');
});
