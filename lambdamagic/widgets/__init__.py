"""Views of a job: they listen to events only.

Decisions
---------

The waiting thread draws
    Output from other threads lands in the wrong cell on some kernels.

A widget gets differences, and its page keeps the job
    The listener notes which tasks changed. A tick sends their states as bytes, their times as floats and the head line
    as JSON (`task_grid.py`, `live.py`). A page that has loaded its code says `ready` and gets everything. A kernel
    without subshells hears that only when its cell has ended, so the first messages are whole, at growing distances.
    Tracebacks and reprs are made when a page asks for them, by callables that the view was given (`actions.py`).

The front end is plain ES modules, joined by Python
    anywidget takes one module as text, and a build would need Node (`bundle.py`).

Results bring their own ground and text colors
    Exported pages have no theme, or another one. A result's pictures are images with their SVG inside (`pictures.py`):
    JupyterLab removes inline SVG from what is not trusted, and an image is independent of the page.

The last widget stays open when its job is over
    A page that was reloaded while a cell blocked can be sent no result, and still asks for the widget. The latest
    results are kept (`notebook.py`), and the extension puts them in.

The kernel opens the panel's comm
    A page that asked would leave a warning in the log of each kernel without lambdamagic. Each message holds whole jobs
    (`panel.py`), so a page that joins late needs no history. Nothing is sent before a page has said `hello`.
"""
