/** Tells of a long job that ended while nobody looked at the page. */

import { Notification as Toast } from '@jupyterlab/apputils';

import { IJob } from './messages';
import { cost, duration, facts, pace, SIGNS, word } from './words';

/** Tell, if the page is hidden: in JupyterLab, and by the system if the browser was allowed to. */
export function tellOfEnd(job: IJob, notebook: string, open: () => void): void {
  if (!document.hidden) {
    return;
  }
  const seconds = (job.finishedAt ?? job.startedAt) - job.startedAt;
  const told = [pace(job), duration(seconds), cost(job), ...facts(job)].filter(Boolean).join(' · ');
  const headline = `${SIGNS[job.state]} ${job.label} ${word(job)}`;
  const type = job.state === 'failed' ? 'error' : job.state === 'cancelled' || job.state === 'partly' ? 'warning' : 'success';
  Toast.emit(`${headline}: ${told}`, type, {
    autoClose: false,
    actions: [{ label: 'Show jobs', callback: open }]
  });
  if ('Notification' in window && Notification.permission === 'granted') {
    const shown = new Notification(`${notebook}: ${headline}`, { body: told, tag: job.id });
    shown.onclick = () => {
      window.focus();
      open();
      shown.close();
    };
  }
}

/** Ask whether the system may tell; browsers want a person to have pressed something before. */
export async function askToAlert(): Promise<void> {
  const answer = 'Notification' in window ? await Notification.requestPermission() : 'denied';
  if (answer === 'granted') {
    Toast.success('This browser will tell you when a long Lambda job ends while its tab is hidden.');
  } else {
    Toast.warning('This browser does not allow notifications here; JupyterLab will show them when you come back.');
  }
}
