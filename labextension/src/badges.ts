/** A badge on each cell that ran on Lambda: the state of its latest job, and what it cost. */

import { NotebookPanel } from '@jupyterlab/notebook';

import { JobsModel } from './model';
import { element, write } from './row';
import { cost, duration, SIGNS, word } from './words';

const CLASS = 'lm-badge';

/** Redraw a notebook's badges; without `isShown` they are removed. */
export function drawBadges(panel: NotebookPanel, model: JobsModel, isShown: boolean): void {
  const jobs = model.byCell();
  for (const cell of panel.content.widgets) {
    const job = isShown ? jobs.get(cell.model.id) : undefined;
    let badge = cell.node.querySelector<HTMLElement>(`:scope > .${CLASS}`);
    if (job === undefined) {
      badge?.remove();
      continue;
    }
    if (badge === null) {
      badge = element('div', CLASS);
      cell.node.append(badge);
    }
    badge.dataset.state = job.state;
    write(badge, `λ ${SIGNS[job.state] ?? '?'}`);
    const parts = [`${word(job)} on Lambda`, job.finishedAt ? duration(model.elapsed(job, 0)) : '', cost(job)];
    badge.title = parts.filter(Boolean).join(' · ');
    badge.setAttribute('role', 'img');
    badge.setAttribute('aria-label', badge.title);
  }
}
