"""Arrays, frames, figures and estimators are changed by a cell as in the kernel, whatever shares their memory."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

pytestmark = pytest.mark.filterwarnings("default")

ARRAYS = constructs("""
= arrays that own their memory, and their views
import numpy as np
a = np.arange(4.); v = a[1:]; f = np.asfortranarray(np.ones((2, 3))); e = np.zeros(0); z = np.array(3)
big = np.arange(1e5); ro = np.arange(3); ro.flags.writeable = False
---
r = [v.base is a, a[::2].base is a, big[1:].base is big, a.base is None, a.flags.owndata, f.flags.f_contiguous]
r += [f.T.base is f, ro.flags.writeable, z.shape, e.shape]
w = a[2:]; b = np.arange(6); v[0] = 9; big[:] = 1
---
r, w.base is a, v.base is a, a.flags.owndata, b.base is None, w.tolist(), big[1:3].tolist()
= a view of a captured array
import numpy as np
a = np.arange(6)
---
v = a[1:]
v[0] = 99
---
a.tolist(), v.base is a, np.shares_memory(v, a)
= a view of a captured array changed afterwards
import numpy as np
a = np.arange(6.0).reshape(2, 3)
---
row, t, flat = a[0], a.T, a.ravel()
---
row[:] = 7
t[2, 1] = -1
a.tolist(), t.tolist(), flat.tolist()
= a view in a container
import numpy as np
a = np.zeros(4)
box = {}
---
box['v'] = a[:2]
box['v'] += 5
---
box['v'][1] = 8
a.tolist()
= an out argument and a large array
import numpy as np
big = np.zeros(100_000)
---
np.add(big, 1, out=big)
part = big[10:20]
part[:] = 3
---
float(big.sum()), np.shares_memory(part, big)
= an array inside an object
import numpy as np
class M:
    def __init__(self): self.w = np.zeros(3)
m = M()
---
m.w += 1
m.w[0] = 9
w = m.w
---
m.w.tolist(), w is m.w
= an array resized and reshaped in place
import numpy as np
a = np.arange(6)
b = a
---
a.shape = (2, 3)
---
a.shape, b.shape, b is a
= read-only flags of arrays
import numpy as np
a = np.arange(3)
---
a.flags.writeable = False
a.setflags(write=False)
---
a.flags.writeable
= an array of objects
import numpy as np
o = np.array([[1], [2, 3]], dtype=object)
alias = o
---
o[0].append(5)
o[1] = 'x'
---
o.tolist(), alias is o
= a masked and a structured array
import numpy as np
m = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
s = np.zeros(2, dtype=[('a', int), ('b', float)])
---
m[0] = 9
m.mask[2] = True
s['a'] = 4
---
m.filled(-1).tolist(), m.mask.tolist(), s['a'].tolist()
= a Series' name and an index' names
import pandas as pd
s = pd.Series([1, 2], name='a')
d = pd.DataFrame({'x': [1, 2]}, index=pd.Index([5, 6], name='i'))
alias = d
---
s.name = 'b'
d.index.name = 'j'
d.columns.name = 'c'
d.attrs['k'] = 1
d.flags.allows_duplicate_labels = False
s.flags.allows_duplicate_labels = False
---
seen = s.name, d.index.name, d.columns.name, d.attrs, alias is d
seen, d.flags.allows_duplicate_labels, s.flags.allows_duplicate_labels
= names of an index of its own
import pandas as pd
i = pd.Index([1, 2], name='a')
m = pd.MultiIndex.from_tuples([(1, 2)], names=['p', 'q'])
---
i.name = 'b'
m.names = ['r', 's']
---
i.name, list(m.names)
= a frame in a list in a dictionary
import pandas as pd
box = {'frames': [pd.DataFrame({'x': [1, 2]})]}
f = box['frames'][0]
---
box['frames'][0]['y'] = 3
f.loc[0, 'x'] = 10
---
f.to_dict(), box['frames'][0] is f
= frames that share memory until one is written
import pandas as pd
d = pd.DataFrame({'x': [1, 2], 'y': [3, 4]})
e = d.rename(columns={'y': 'z'})
s = d['x']
---
d.loc[0, 'x'] = 9
---
d['x'].tolist(), e['x'].tolist(), s.tolist(), e.__setitem__('x', 0), d['x'].tolist()
= a frame in a closure
import pandas as pd
def make():
    d = pd.DataFrame({'x': [1]})
    def add(c, v):
        d[c] = v
        return list(d)
    return add
add = make()
---
add('y', 2)
---
add('z', 3)
= an Axes in an array of Axes
%matplotlib inline
import matplotlib.pyplot as plt
fig, axes = plt.subplots(2, 2)
---
axes[0, 0].set_title('top')
axes[0, 0].plot([1, 2])
axes[1, 1].set_xlabel('x');
---
plt.close('all')
top = axes[0, 0]
top.get_title(), axes[1, 1].get_xlabel(), len(top.lines), top.figure is fig, fig.axes[0] is top
= a scikit-learn model and the arrays that it holds
import numpy as np
from sklearn.linear_model import LinearRegression
m = LinearRegression()
box = [m]
---
m.fit(np.arange(3).reshape(-1, 1), [1, 2, 3])
m.mine = 'x'
---
m.coef_.round(6).tolist(), box[0] is m, m.mine
= a pipeline's inner step
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import numpy as np
scaler = StandardScaler()
pipe = make_pipeline(scaler)
---
pipe.fit(np.array([[1.0], [3.0]]))
---
scaler.mean_.tolist(), pipe.steps[0][1] is scaler
""")


@pytest.mark.parametrize("title", ARRAYS)
def test_a_change_of_data_comes_back(notebook, title):
    """The notebook's data are as the plain kernel leaves them."""
    agrees(notebook, ARRAYS[title])


def test_long_long_and_long_stay_two_types(notebook):
    """They are equal to NumPy, and an array shows its type where that is not the default one."""
    notebook.ok("import numpy as np\nlong_long = np.arange(2, dtype=np.longlong)")
    ran = notebook.remote("import numpy as np\nnew, held = np.arange(2), long_long + 1\nnew, held")
    assert [each.dtype.char for each in ran.value] == ["l", "q"]
    assert notebook.ok("long_long.dtype.char").value == "q"
