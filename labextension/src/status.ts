/** The status bar's item: running tasks and cost of the notebook in front; a click opens the panel. */

import { Widget } from '@lumino/widgets';

import { JobsModel } from './model';
import { element, write } from './row';
import { cost, underWay, WORDS } from './words';

export class StatusItem extends Widget {
  constructor(open: () => void) {
    super();
    this.addClass('lm-status');
    this._button.type = 'button';
    this._button.title = WORDS.showPanel;
    this._button.addEventListener('click', open);
    this.node.append(this._button);
  }

  /** Draw, and return whether there is something to show. */
  draw(model: JobsModel | undefined): boolean {
    if (model === undefined || !model.session.jobs) {
      return false;
    }
    write(this._button, [`λ ${underWay(model)}`, cost(model.session)].filter(Boolean).join(' · '));
    return true;
  }

  private _button = element('button', 'lm-status-button');
}
