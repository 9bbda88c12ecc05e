"""A real Jupyter server, and notebooks in a browser as a person uses them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PATIENCE_S = 90.0
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
}


#: Opens another notebook in place of all that is open, whose kernels end.
_REPLACE = """async (path) => {
    const app = window.jupyterapp;
    for (const old of [...app.shell.widgets('main')]) {
        if (old.context) old.context.model.dirty = false;
        old.close();
    }
    await app.serviceManager.sessions.shutdownAll().catch(() => null);  // one that just restarts ends with the server
    const opened = await app.commands.execute('docmanager:open', { path });
    await opened.context.ready;
    app.shell.activateById(opened.id);
}"""


class Jupyter:
    """JupyterLab or Notebook, in a separate folder.

    Args:
        folder: Where its notebooks, settings and runtime files go.
        app: `lab` or `notebook`.
    """

    def __init__(self, folder: Path, app: str = "lab") -> None:
        self.app, self.notebooks, self._pages = app, folder / "notebooks", 0
        self.notebooks.mkdir(parents=True)
        settings = folder / "settings"
        for name, content in _SETTINGS.items():
            path = settings / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        command = [sys.executable, "-m", "jupyterlab" if app == "lab" else "notebook", "--no-browser", "--allow-root"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={self.notebooks}"]
        command += ["--IdentityProvider.token=test", f"--LabApp.user_settings_dir={settings}"]
        command += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
        if app == "notebook":
            command = [part.replace("--LabApp.", "--JupyterNotebookApp.") for part in command]
            # Notebook takes some of these from a file only.
            config = {"JupyterNotebookApp": {"expose_app_in_browser": True}, "ServerApp": {"open_browser": False}}
            (folder / "config").mkdir()
            (folder / "config" / "jupyter_notebook_config.json").write_text(json.dumps(config))
        environment = {
            **os.environ,
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        self._log = (folder / "server.log").open("w+")
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
        self.address = self._wait(folder / "runtime")

    def _wait(self, runtime: Path) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            # The port is known when the server has bound it: its own file says which one it is.
            for path in runtime.glob("jpserver-*.json"):
                try:
                    return str(json.loads(path.read_text())["url"])
                except ValueError:
                    continue  # it is being written
            time.sleep(0.05)
        self._log.seek(0)
        raise AssertionError(f"the server did not start:\n{self._log.read()[-3000:]}")

    def write(self, name: str, *cells: str) -> Path:
        """Write a notebook."""
        import nbformat  # slow, and every worker collects this file's tests

        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.notebooks / name
        nbformat.write(notebook, path)
        return path

    def open(self, page: Any, name: str) -> NotebookPage:
        """Open a notebook in a page, and wait for its kernel; what the page has open of this server is closed."""
        opened = NotebookPage(page)
        if page.url.startswith(self.address) and page.evaluate("Boolean(window.jupyterapp)"):
            page.evaluate(_REPLACE, name)
            opened.wait_until_ready()
            return opened
        self._pages += 1  # a workspace for each: what is open in one page is not restored in another
        route = f"lab/workspaces/page-{self._pages}/tree" if self.app == "lab" else "notebooks"
        page.goto(f"{self.address}{route}/{name}?token=test" + ("&reset" if self.app == "lab" else ""))
        opened.wait_until_ready()
        return opened

    def close(self) -> None:
        """End the server, and with it its kernels."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()


_SESSION = "window.jupyterapp?.shell.currentWidget?.sessionContext"


class NotebookPage:
    """One open notebook."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def wait_until_ready(self) -> None:
        """Wait until the kernel runs and has nothing to do; the visible word comes too early."""
        self.page.wait_for_function(
            f"{_SESSION}?.isReady && {_SESSION}.session?.kernel?.status === 'idle'", timeout=_PATIENCE_S * 1000
        )

    def wait_until_restarted(self) -> None:
        """Wait until a kernel that is restarted has nothing to do.

        What it says first of its status may be said before the server listens to it again: so it is asked, which makes
        it notify, until it was received.
        """
        self.page.wait_for_function(
            f"""() => {{
                const kernel = {_SESSION}.session.kernel;
                if (kernel.status !== 'idle') kernel.requestKernelInfo().catch(() => null);
                return kernel.status === 'idle';
            }}""",
            polling=500,
            timeout=_PATIENCE_S * 1000,
        )

    def wait_until_known(self) -> None:
        """Wait until the page is connected to its kernel, which may be busy: what it does is not known then."""
        self.page.wait_for_function(
            f"{_SESSION}?.session?.kernel?.connectionStatus === 'connected'", timeout=_PATIENCE_S * 1000
        )

    def start(self, cell: int) -> None:
        """Begin to run a cell."""
        self.page.evaluate(
            """(cell) => {
                const panel = window.jupyterapp.shell.currentWidget;
                panel.content.activeCellIndex = cell;
                panel.content.deselectAll();
                window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            cell,
        )

    def run(self, cell: int) -> None:
        """Run a cell to its end."""
        before = self._count(cell)
        self.start(cell)
        self.page.wait_for_function(
            f"""([cell, before]) => {{
                const count = window.jupyterapp.shell.currentWidget.content.widgets[cell].model.executionCount;
                return count !== null && count !== before && {_SESSION}.session?.kernel?.status === 'idle';
            }}""",
            arg=[cell, before],
            timeout=_PATIENCE_S * 1000,
        )

    def _count(self, cell: int) -> int | None:
        found: int | None = self.page.evaluate(
            "(cell) => window.jupyterapp.shell.currentWidget.content.widgets[cell].model.executionCount", cell
        )
        return found

    def interrupt(self) -> None:
        """Press the stop button."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")

    def output(self, cell: int) -> Any:
        """Return the output area of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-Cell-outputWrapper")

    def theme(self, name: str) -> None:
        """Choose a theme."""
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
        light = str("Dark" not in name).lower()
        self.page.wait_for_selector(
            f"body[data-jp-theme-light='{light}'][data-jp-theme-name='{name}']", state="attached"
        )


def text_of(html: str) -> str:
    """Return the words of some HTML."""
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))


def outputs_of(path: Path, cell: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["cells"][cell]["outputs"]
    return found
