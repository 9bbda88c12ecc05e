/** Notifies the user of a long job that ended while the page was hidden. */

import { Notification as Toast } from '@jupyterlab/apputils';

import { IJob } from './messages';
import { cost, duration, facts, pace, SIGNS, word, WORDS } from './words';

/** Notify, if the page is hidden: in JupyterLab, and by the system if the browser was allowed to. */
export function tellOfEnd(job: IJob, notebook: string, open: () => void): void {
  if (!document.hidden) {
    return;
  }
  const seconds = (job.finishedAt ?? job.startedAt) - job.startedAt;
  const text = [pace(job), duration(seconds), cost(job), ...facts(job)].filter(Boolean).join(' · ');
  const headline = `${SIGNS[job.state]} ${job.label} ${word(job)}`;
  const type = job.state === 'failed' ? 'error' : job.state === 'cancelled' || job.state === 'partly' ? 'warning' : 'success';
  Toast.emit(`${headline}: ${text}`, type, {
    autoClose: false,
    actions: [{ label: WORDS.showJobs, callback: open }]
  });
  if ('Notification' in window && Notification.permission === 'granted') {
    const shown = new Notification(`${notebook}: ${headline}`, { body: text, tag: job.id });
    shown.onclick = () => {
      window.focus();
      open();
      shown.close();
    };
  }
}

/** Ask for permission to notify; browsers require a user action before. */
export async function askToAlert(): Promise<void> {
  const answer = 'Notification' in window ? await Notification.requestPermission() : 'denied';
  if (answer === 'granted') {
    Toast.success(WORDS.notificationsOn);
  } else {
    Toast.warning(WORDS.notificationsOff);
  }
}
