/** The comm to one notebook's kernel, found again after a restart of the kernel and a reload of the page. */

import { ISessionContext } from '@jupyterlab/apputils';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';

import { isFromKernel, TARGET, ToKernel } from './messages';
import { IAsked, JobsModel } from './model';
import { WORDS } from './words';

/** When nothing was heard so long after a cancel, the kernel is busy and hears no message. */
const DEAF_AFTER_MS = 2500;

export class JobsConnection implements IDisposable {
  readonly model = new JobsModel();

  constructor(readonly context: ISessionContext) {
    context.kernelChanged.connect(this._onKernelChanged, this);
    context.statusChanged.connect(this._onStatusChanged, this);
    context.iopubMessage.connect(this._onIOPub, this);
    this._attachTo(context.session?.kernel ?? null);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  cancel(job: string): void {
    const busy = WORDS.busyCancel;
    this._ask({ kind: 'cancel', job }, { isCancelling: true, note: '' }, asked => asked.isCancelling, busy);
  }

  retry(job: string): void {
    const busy = WORDS.busyRetry;
    const isWaited = (asked: IAsked) => asked.isRetried && asked.note !== '';
    this._ask({ kind: 'retry', job }, { isRetried: true, note: WORDS.asking }, isWaited, busy);
  }

  askForTable(job: string): void {
    const busy = WORDS.busyTable;
    this._ask({ kind: 'table', job }, { isTableAsked: true, note: '' }, asked => asked.isTableAsked, busy);
  }

  askForResult(job: string): void {
    this._send({ kind: 'result', job });
  }

  askForLogs(job: string): void {
    this._send({ kind: 'logs', job });
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this.context.kernelChanged.disconnect(this._onKernelChanged, this);
      this.context.statusChanged.disconnect(this._onStatusChanged, this);
      this.context.iopubMessage.disconnect(this._onIOPub, this);
      this._kernel?.removeCommTarget(TARGET, this._onOpen);
    }
  }

  private _onKernelChanged(_: ISessionContext, change: { newValue: Kernel.IKernelConnection | null }): void {
    this._attachTo(change.newValue);
  }

  private _onStatusChanged(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._comm = null;
      this.model.lose();
    } else if (status === 'starting') {
      this._attachTo(this.context.session?.kernel ?? null);
    }
  }

  private _attachTo(kernel: Kernel.IKernelConnection | null): void {
    this._kernel?.removeCommTarget(TARGET, this._onOpen);
    if (this._kernel !== kernel) {
      this._comm = null;
      this.model.lose();
    }
    this._kernel = kernel;
    if (kernel !== null && kernel.handleComms) {
      kernel.registerCommTarget(TARGET, this._onOpen);
      void this._askForComm(kernel);
    }
  }

  /** The extension may have been loaded before this page. */
  private async _askForComm(kernel: Kernel.IKernelConnection): Promise<void> {
    this.model.wait(true);
    try {
      const { content } = await kernel.requestCommInfo({ target_name: TARGET });
      const latest = content.status === 'ok' ? Object.keys(content.comms).pop() : undefined;
      if (latest !== undefined && this._comm === null && this._kernel === kernel) {
        this._adopt(latest);
      }
    } catch {
      // The kernel went away before it answered; the next one is asked again.
    }
    if (this._kernel === kernel) {
      this.model.wait(false);
    }
  }

  private _onOpen = (comm: Kernel.IComm): void => {
    this.model.clear();
    this._use(comm);
  };

  /** A page that was reloaded while the kernel is busy gets no answer, but hears the kernel's messages. */
  private _onIOPub(_: ISessionContext, message: KernelMessage.IMessage): void {
    if (this._comm === null && message.header.msg_type === 'comm_msg') {
      const { comm_id, data } = message.content as { comm_id: string; data: unknown };
      if (isFromKernel(data) && data.kind === 'jobs' && 'session' in data) {
        this._adopt(comm_id);
        this.model.take(data, Date.now());
      }
    }
  }

  private _adopt(commId: string): void {
    if (this._kernel !== null && !this._kernel.hasComm(commId)) {
      this._use(this._kernel.createComm(TARGET, commId));
    }
  }

  private _use(comm: Kernel.IComm): void {
    this._comm = comm;
    comm.onMsg = message => {
      const data: unknown = message.content.data;
      if (isFromKernel(data)) {
        this.model.take(data, Date.now());
      }
    };
    comm.onClose = () => {
      if (this._comm === comm) {
        this._comm = null;
        this.model.clear();
      }
    };
    this._send({ kind: 'hello' });
  }

  /** Asks for something that the person waits for, and says so if the kernel does not answer. */
  private _ask(
    message: ToKernel & { job: string },
    note: Partial<IAsked>,
    isWaited: (asked: IAsked) => boolean,
    busy: string
  ): void {
    this.model.note(message.job, note);
    this._send(message);
    setTimeout(() => {
      if (!this._isDisposed && isWaited(this.model.asked(message.job))) {
        this.model.note(message.job, { note: busy });
      }
    }, DEAF_AFTER_MS);
  }

  private _send(message: ToKernel): void {
    if (this._comm !== null && !this._comm.isDisposed) {
      this._comm.send({ ...message });
    }
  }

  private _kernel: Kernel.IKernelConnection | null = null;
  private _comm: Kernel.IComm | null = null;
  private _isDisposed = false;
}
