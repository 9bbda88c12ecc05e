"""Whatever shows something, and however it got hold of `display`, shows it in the cell as in the kernel."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

pytestmark = pytest.mark.filterwarnings("default")

DISPLAYS = constructs("""
= display imported by an earlier cell
from IPython.display import display, HTML, Markdown
---
display(HTML('<b>x</b>'), Markdown('*y*'))
display([1, 2], 'text')
= display inside a function of the notebook
from IPython.display import display, HTML
def show(x):
    display(HTML(f'<i>{x}</i>'))
    return x
---
show(1)
= display imported by an earlier cell on Lambda
---
from IPython.display import display, HTML
def show(x): display(HTML(x))
---
show('<p>')
display(3)
---
show('<q>')
= display in a method and in a closure
from IPython import display as d
class V:
    def show(self): d.display(d.HTML('m'))
def make():
    from IPython.display import display, Latex
    return lambda: display(Latex('$x$'))
go = make()
---
V().show(); go()
= display imported inside a notebook function
def show():
    from IPython.display import display, JSON, SVG
    display(JSON({'a': 1}))
    display(SVG('<svg xmlns="http://www.w3.org/2000/svg"></svg>'))
---
show()
= the builtin display
---
display(1, 'two')
display({'a': [1, 2]})
= IPython.display.display by its full name
import IPython
---
IPython.display.display('x')
IPython.core.display_functions.publish_display_data({'text/plain': 'p'})
= an update of what the cell shows
from IPython.display import display
---
h = display('first', display_id=True)
h.update('second')
type(h).__name__
= update_display by an id
from IPython.display import display, update_display
---
display(1, display_id='mine')
update_display(2, display_id='mine')
= an update by a later cell
---
h = display('one', display_id=True)
---
h.update('two')
= clear_output
from IPython.display import clear_output, display
---
print('gone')
display('gone too')
clear_output()
print('left')
= clear_output that waits
from IPython.display import clear_output
---
for i in range(3):
    clear_output(wait=True)
    print(i)
= clear_output by another name
import IPython.display as ipd
---
print('a')
ipd.clear_output(True)
print('b')
= _repr_pretty_ and long lists
class P:
    def _repr_pretty_(self, p, cycle): p.text('pretty!')
class L:
    def _repr_html_(self): return '<l>'
    def __repr__(self): return 'plain'
xs, d = list(range(100)), {f'key {i}': list(range(10)) for i in range(12)}
---
display(P(), L(), xs)
display(d, [P()], (L(),))
= _ipython_display_
class D:
    def _ipython_display_(self): print('shown by itself')
---
display(D())
D()
= _repr_mimebundle_, jpeg, latex and metadata
class M:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {'text/plain': 'm', 'text/html': '<m>'}, {'text/html': {'k': 1}}
class X:
    def _repr_latex_(self): return '$x$'
---
display(M(), X())
display({'text/plain': 'raw'}, raw=True)
= a frame, a series and a style
import pandas as pd
df = pd.DataFrame({'a': [1, 2]})
---
display(df, df['a'])
df.head(1)
= include, exclude and clear
from IPython.display import display, HTML
---
print('x')
display(HTML('a'), include=['text/html'])
display(HTML('b'), clear=True)
= the mark of a shell
---
from IPython import get_ipython as g
s = get_ipython()
callable(s.events.register), s is g(), hasattr(s, 'display_pub'), s.user_ns is globals()
= a value as the shell formats it
---
get_ipython().display_formatter.format({'a': 1})[0]['text/plain']
= the value of a generator
---
(i for i in range(2))
= progress bars end right
from tqdm import tqdm
from tqdm.auto import tqdm as auto
---
import io, sys
total = sum(tqdm(range(3), file=io.StringIO()))
total
= rich prints
---
from rich.text import Text
t = Text('x')
str(t)
= silent last lines
---
x = 5
x;
""")

FIGURES = constructs("""
= a figure that is shown
%matplotlib inline
import matplotlib.pyplot as plt
---
fig, ax = plt.subplots(figsize=(2, 1))
ax.plot([1, 2])
plt.show()
print('after')
= a figure at the end of the cell
%matplotlib inline
import matplotlib.pyplot as plt
---
plt.figure(figsize=(1, 1))
plt.plot([1, 2]);
= a figure that is closed and is the value
%matplotlib inline
import matplotlib.pyplot as plt
---
fig = plt.figure(figsize=(1, 1))
fig.add_subplot().plot([1, 2])
plt.close(fig)
fig
= an empty figure beside one that is drawn
%matplotlib inline
import matplotlib.pyplot as plt
---
plt.figure(figsize=(1, 1))
plt.figure(figsize=(1, 2))
plt.plot([1, 2]);
= display of a figure
%matplotlib inline
import matplotlib.pyplot as plt
---
fig = plt.figure(figsize=(1, 1))
plt.close(fig)
display(fig)
= two figures
%matplotlib inline
import matplotlib.pyplot as plt
---
for n in (1, 2):
    plt.figure(figsize=(1, n))
    plt.plot([n])
    plt.show()
""")


@pytest.mark.parametrize("title", DISPLAYS)
def test_a_display(notebook, title):
    """The bundles, their order and what is cleared are the kernel's."""
    agrees(notebook, DISPLAYS[title])


@pytest.mark.parametrize("title", FIGURES)
def test_a_figure(notebook, title):
    """It is the same picture at the same place."""
    agrees(notebook, FIGURES[title])


def test_display_in_a_module_of_ones_own(notebook, tmp_path, monkeypatch):
    """It shows in the cell."""
    (tmp_path / "ownshow.py").write_text(
        "from IPython.display import display, HTML\ndef show(x):\n    display(HTML(x))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for construct in constructs("= own\nimport ownshow\n---\nownshow.show('<b>')\n").values():
        agrees(notebook, construct)


def test_a_figure_comes_back_as_a_picture(notebook):
    """Also where nothing was drawn in the notebook yet."""
    ran = notebook.remote("from matplotlib.figure import Figure\nfig = Figure(figsize=(1, 1))\nfig.subplots();\nfig")
    assert "image/png" in ran.out
