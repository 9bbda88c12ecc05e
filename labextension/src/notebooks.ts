/** One connection for each open notebook, and which of them is in front. */

import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ISignal, Signal } from '@lumino/signaling';

import { JobsConnection } from './connection';
import { IJob } from './messages';
import { putLost, putResult } from './outputs';
import { save } from './save';

export class Notebooks {
  constructor(private _tracker: INotebookTracker) {
    _tracker.widgetAdded.connect((_, panel) => this._add(panel));
    _tracker.forEach(panel => this._add(panel));
    _tracker.currentChanged.connect(() => this._changed.emit());
  }

  /** Another notebook is in front, or the jobs or the content of one have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A job of any open notebook has ended. */
  get ended(): ISignal<this, { panel: NotebookPanel; job: IJob }> {
    return this._ended;
  }

  get panel(): NotebookPanel | null {
    return this._tracker.currentWidget;
  }

  get current(): JobsConnection | null {
    return (this.panel && this._connections.get(this.panel)) ?? null;
  }

  get all(): IterableIterator<[NotebookPanel, JobsConnection]> {
    return this._connections.entries();
  }

  /** Whether the notebook in front has a cell of this id. */
  hasCell(id: string): boolean {
    return id !== '' && this._placeOf(id) >= 0;
  }

  /** Bring a cell of the notebook in front into view, and make it the active one. */
  goToCell(id: string): void {
    const notebook = this.panel?.content;
    const place = this._placeOf(id);
    if (notebook && place >= 0) {
      notebook.activeCellIndex = place;
      notebook.deselectAll();
      void notebook.scrollToItem(place, 'center');
      notebook.activate();
    }
  }

  private _placeOf(id: string): number {
    return this.panel?.content.widgets.findIndex(cell => cell.model.id === id) ?? -1;
  }

  private _add(panel: NotebookPanel): void {
    if (this._connections.has(panel)) {
      return;
    }
    const connection = new JobsConnection(panel.sessionContext);
    this._connections.set(panel, connection);
    connection.model.changed.connect(() => this._changed.emit());
    connection.model.result.connect((_, result) => putResult(panel, result));
    connection.model.table.connect((_, table) => save(`${table.job}.csv`, table.csv));
    connection.model.lost.connect((_, jobs) => putLost(panel, jobs));
    const onContent = (): void => this._changed.emit();
    void panel.context.ready.then(() => panel.model?.contentChanged.connect(onContent));
    connection.model.ended.connect((_, job) => this._ended.emit({ panel, job }));
    panel.disposed.connect(() => {
      connection.dispose();
      this._connections.delete(panel);
      this._changed.emit();
    });
    this._changed.emit();
  }

  private _connections = new Map<NotebookPanel, JobsConnection>();
  private _changed = new Signal<this, void>(this);
  private _ended = new Signal<this, { panel: NotebookPanel; job: IJob }>(this);
}
