"""Settings that cells make, and streams of random numbers, go there and come back."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

SETTINGS = constructs("""
= a function of pandas' options that formats numbers
import pandas as pd
pd.options.display.float_format = '{:.1f}'.format
digits = 2
df = pd.DataFrame({'a': [1 / 3]})
---
s = df.to_string()
pd.options.display.float_format = lambda x: f'<{x:.{digits}f}>'
t = df.to_string()
---
r = s, t, df.to_string(), pd.reset_option('display.float_format')
= another function that formats numbers
import pandas as pd
digits = 2
pd.options.display.float_format = lambda x: f'<{x:.{digits}f}>'
df = pd.DataFrame({'a': [1 / 3]})
---
s = df.to_string()
---
s, pd.reset_option('display.float_format')
= the stream of random
import random
random.seed(3)
first = random.random()
---
second = random.random()
random.shuffle(mixed := list(range(5)))
second, mixed
---
random.random(), random.getrandbits(8)
= numpy's stream
import numpy as np
np.random.seed(1)
a = np.random.rand()
---
b = np.random.rand(2).tolist()
b
---
np.random.randint(100), np.random.randn()
= a seed set by the cell
import numpy as np, random
---
np.random.seed(7)
random.seed(7)
---
np.random.rand(), random.random()
= scikit-learn without a random state
import numpy as np
from sklearn.model_selection import train_test_split
np.random.seed(5)
---
train, test = train_test_split(np.arange(6))
train.tolist()
---
np.random.rand()
= a decimal context
from decimal import Decimal, getcontext, ROUND_UP
getcontext().prec = 5
---
third = Decimal(1) / 3
getcontext().rounding = ROUND_UP
third
---
got = Decimal(2) / 3, getcontext().prec
getcontext().prec, getcontext().rounding = 28, 'ROUND_HALF_EVEN'
got
= print options and errors of numpy
import numpy as np
np.set_printoptions(precision=2, suppress=True)
np.seterr(divide='ignore')
---
print(np.array([1.23456]))
np.set_printoptions(precision=3)
np.array([1.0]) / 0
---
got = repr(np.array([1.23456])), np.geterr()['divide']
np.set_printoptions(precision=8, suppress=False); np.seterr(divide='warn')
got
= options of pandas
import pandas as pd
pd.set_option('display.max_rows', 4)
df = pd.DataFrame({'a': range(10)})
---
print(df)
pd.options.display.precision = 2
pd.Series([1.23456])
---
got = pd.get_option('display.precision'), pd.get_option('display.max_rows')
pd.reset_option('display.precision'); pd.reset_option('display.max_rows')
got
= parameters of matplotlib
import matplotlib.pyplot as plt
plt.rcParams['figure.figsize'] = (3, 1)
---
fig = plt.figure()
plt.rcParams['lines.linewidth'] = 4.0
plt.style.use('ggplot')
size = fig.get_size_inches().tolist()
plt.close(fig)
size
---
got = plt.rcParams['lines.linewidth'], plt.rcParams['axes.facecolor']
plt.rcdefaults()
got
= the recursion limit
import sys
before = sys.getrecursionlimit()
sys.setrecursionlimit(5000)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
---
n = deep(4000)
sys.setrecursionlimit(5500)
n
---
got = sys.getrecursionlimit()
sys.setrecursionlimit(before)
got
= from __future__ import annotations
from __future__ import annotations
---
def f(a: NotThere) -> Nor: pass
f.__annotations__
---
get_ipython().compile.reset_compiler_flags()
f.__annotations__
= scikit-learn's configuration
from sklearn import set_config
from sklearn.linear_model import LinearRegression
set_config(transform_output='pandas')
---
import sklearn
set_config(display='text')
{name: sklearn.get_config()[name] for name in ('display', 'transform_output')}
---
import sklearn
found = sklearn.get_config()['display'], LinearRegression()._repr_mimebundle_()
set_config(display='diagram', transform_output='default')
found
= parameters of matplotlib where pandas draws
%matplotlib inline
import matplotlib.pyplot as plt, pandas as pd
plt.rcParams['figure.figsize'] = 2, 1
s = pd.Series([1, 2])
def draw(x): return x.plot().figure
---
size = draw(s).get_size_inches().tolist()
size
---
import matplotlib
plt.close('all')
matplotlib.rcdefaults()
""")


@pytest.mark.parametrize("title", SETTINGS)
def test_a_setting(notebook, title):
    """It is in force in the function, and what the cell sets is in force afterwards."""
    agrees(notebook, SETTINGS[title])


@pytest.mark.parametrize(
    "before",
    [
        "",
        "warnings.simplefilter('ignore', ResourceWarning)",  # it is there from the start, and moves to the front
        "warnings.simplefilter('once', ImportWarning, append=True)",
        "warnings.resetwarnings()",
    ],
    ids=["alone", "one is moved", "one is appended", "none are left"],
)
def test_filters_of_warnings(kernel, before):
    """Those set before the cell, and by it, are in force, whatever became of those that Python began with."""
    kernel.run(f"import warnings\nfirst = warnings.filters[:]\n{before}")
    kernel.run("warnings.filterwarnings('ignore', message='quiet')")
    ran = kernel.run(
        "%%lambda -q\nimport warnings\nwarnings.warn('quiet')\nwarnings.simplefilter('error', UserWarning)"
    )
    assert ran.stream("stderr") == ""
    assert kernel.run("warnings.warn('loud')").error["ename"] == "UserWarning"
    kernel.run("warnings.filters[:] = first\nwarnings._filters_mutated()")


def test_settings_of_a_module_that_the_cell_loads(notebook):
    """They end with the cell in its environment: what the notebook has since set, or not, is in force in the next."""
    fresh = "-m 333"  # another function, in which nothing is loaded yet
    notebook.remote(
        "import matplotlib, csv, decimal\nmatplotlib.rcParams['figure.dpi'] = 33\n"
        "csv.register_dialect('semi', delimiter=';')\ndecimal.getcontext().prec = 5",
        fresh,
    )
    assert notebook.ok("matplotlib.rcParams['figure.dpi'], decimal.getcontext().prec").value == (33, 5)
    notebook.ok("matplotlib.rcdefaults(); csv.unregister_dialect('semi'); decimal.getcontext().prec = 28")
    look = "matplotlib.rcParams['figure.dpi'], csv.list_dialects(), decimal.getcontext().prec"
    assert notebook.remote(look, fresh).value == notebook.ok(look).value
