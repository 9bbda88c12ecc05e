/** Wires the parts to JupyterLab or Notebook; what they do is their own matter. */

import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';

import { askToAlert, tellOfEnd } from './alerts';
import { drawBadges } from './badges';
import { lambdaIcon } from './icon';
import { hasOtherMagic, runsOnLambda, toggled } from './magicline';
import { Notebooks } from './notebooks';
import { askForMissed, drawButtons, drawLoading, makePlaces } from './outputs';
import { JobsPanel } from './panel';
import { readSettings } from './settings';
import { StatusItem } from './status';
import { WORDS } from './words';

const PLUGIN = 'lambdamagic:plugin';
const CATEGORY = 'AWS Lambda';

export namespace CommandIDs {
  export const showPanel = 'lambdamagic:show-jobs';
  export const toggleCell = 'lambdamagic:toggle-cell';
  export const cancelAll = 'lambdamagic:cancel-all';
  export const allowAlerts = 'lambdamagic:allow-notifications';
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'The Lambda jobs of a notebook: a panel, a cell button, badges, a status item.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ISettingRegistry, IStatusBar, ILayoutRestorer, ILabShell],
  activate
};

function activate(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  palette: ICommandPalette | null,
  registry: ISettingRegistry | null,
  statusBar: IStatusBar | null,
  restorer: ILayoutRestorer | null
): void {
  const notebooks = new Notebooks(tracker);
  const panel = new JobsPanel(
    cell => notebooks.goToCell(cell),
    cell => notebooks.hasCell(cell)
  );
  panel.title.icon = lambdaIcon;
  app.shell.add(panel, 'right', { rank: 600, type: WORDS.jobs });
  restorer?.add(panel, panel.id);

  const showPanel = (): void => app.shell.activateById(panel.id);
  const status = new StatusItem(showPanel);
  let settings = readSettings();
  let hasStatus = false;
  let isDrawing = false;
  statusBar?.registerStatusItem('lambdamagic:status', {
    item: status,
    align: 'left',
    rank: 20,
    isActive: () => hasStatus
  });

  // Many changes come in one turn of the event loop, and are drawn once.
  const draw = (): void => {
    if (!isDrawing) {
      isDrawing = true;
      requestAnimationFrame(() => {
        isDrawing = false;
        panel.connection = notebooks.current;
        hasStatus = settings.showStatus && status.draw(notebooks.current?.model);
        status.setHidden(!hasStatus);
        for (const [notebook, connection] of notebooks.all) {
          drawBadges(notebook, connection.model, settings.showBadges);
          drawButtons(notebook, connection);
          makePlaces(notebook, connection);
          drawLoading(notebook, connection);
          askForMissed(notebook, connection);
        }
      });
    }
  };
  notebooks.changed.connect(draw);
  notebooks.ended.connect((_, { panel: notebook, job }) => {
    const seconds = (job.finishedAt ?? 0) - job.startedAt;
    if (settings.notifyAfterSeconds > 0 && seconds >= settings.notifyAfterSeconds) {
      tellOfEnd(job, notebook.title.label, showPanel);
    }
  });
  tracker.activeCellChanged.connect(() => app.commands.notifyCommandChanged(CommandIDs.toggleCell));

  const activeCell = () => (tracker.activeCell?.model.type === 'code' ? tracker.activeCell.model : null);
  app.commands.addCommand(CommandIDs.showPanel, { label: 'Show Lambda Jobs', icon: lambdaIcon, execute: showPanel });
  app.commands.addCommand(CommandIDs.toggleCell, {
    label: args => (args.toolbar ? '' : WORDS.runCell),
    caption: () =>
      runsOnLambda(activeCell()?.sharedModel.getSource() ?? '')
        ? WORDS.runInKernel
        : WORDS.runOnLambda,
    icon: lambdaIcon,
    isToggled: () => runsOnLambda(activeCell()?.sharedModel.getSource() ?? ''),
    isEnabled: () => {
      const cell = activeCell();
      return cell !== null && !hasOtherMagic(cell.sharedModel.getSource());
    },
    execute: () => {
      const source = activeCell()?.sharedModel;
      if (source) {
        source.setSource(toggled(source.getSource(), settings.magicLine));
        app.commands.notifyCommandChanged(CommandIDs.toggleCell);
      }
    }
  });
  app.commands.addCommand(CommandIDs.cancelAll, {
    label: WORDS.cancelAll,
    isEnabled: () => (notebooks.current?.model.runningJobs ?? 0) > 0,
    execute: () => notebooks.current?.model.shown('running').forEach(job => notebooks.current?.cancel(job.id))
  });
  app.commands.addCommand(CommandIDs.allowAlerts, {
    label: 'Allow Notifications When Long Lambda Jobs End',
    execute: askToAlert
  });
  for (const command of Object.values(CommandIDs)) {
    palette?.addItem({ command, category: CATEGORY });
  }

  registry
    ?.load(PLUGIN)
    .then(loaded => {
      const read = (): void => {
        settings = readSettings(loaded.composite);
        draw();
      };
      loaded.changed.connect(read);
      read();
    })
    .catch(reason => console.error(WORDS.noSettings, reason));
}

export default plugin;
