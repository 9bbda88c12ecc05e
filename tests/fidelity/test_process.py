"""What cells set in their process: loggers, the locale, environment variables, context variables, `sys.path`."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

PROCESS = constructs("""
= logging level and handlers
import logging
log = logging.getLogger('mine'); log.setLevel(logging.INFO)
---
log.setLevel(logging.ERROR); log.getEffectiveLevel()
---
log.level, logging.getLogger('mine').level
= root level by basicConfig
import logging
---
logging.getLogger().setLevel(logging.DEBUG); logging.getLogger('z9').getEffectiveLevel()
---
v = logging.getLogger().level; logging.getLogger().setLevel(30); v
= logging disabled
import logging
---
logging.disable(logging.CRITICAL); logging.root.manager.disable
---
v = logging.root.manager.disable; logging.disable(0); v
= locale set
import locale
locale.setlocale(locale.LC_ALL, 'C')
---
locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8'); locale.setlocale(locale.LC_NUMERIC)
---
v = locale.setlocale(locale.LC_NUMERIC); locale.setlocale(locale.LC_ALL, 'C'); v
= environment variables set by the cell
import os
---
os.environ['FID_X'] = '1'; os.environ['FID_X']
---
v = os.environ.pop('FID_X', None); v
= an entry of sys.path
import sys
---
sys.path.append('/nowhere-fid'); '/nowhere-fid' in sys.path
---
v = '/nowhere-fid' in sys.path; [sys.path.remove(p) for p in list(sys.path) if p == '/nowhere-fid']; v
= a context variable
import contextvars
cv = contextvars.ContextVar('cv', default=0)
---
cv.set(5); cv.get()
---
cv.get()
= annotations of the namespace
x: int = 1
---
y: str = 'a'
z: float
---
__annotations__
= the lines of a command
pass
---
xs = !echo one; echo two
xs, xs.n, xs.s, type(xs).__name__
---
xs.l, xs.nlstr
= getoutput
pass
---
a = get_ipython().getoutput('echo hi')
a, type(a).__name__
---
a
= logging config by the notebook
import logging, io
buf = io.StringIO()
logging.basicConfig(stream=buf, level=logging.INFO, format='%(levelname)s:%(message)s', force=True)
---
logging.info('there'); logging.getLogger('sub.x').warning('w')
---
v = buf.getvalue(); logging.info('here'); r = (v, buf.getvalue())
logging.root.handlers.clear(); logging.root.setLevel(30); r
= logging config by the cell
import logging, io
buf = io.StringIO()
---
logging.basicConfig(stream=buf, level=logging.INFO, format='%(message)s', force=True)
logging.info('there')
---
logging.info('here'); r = buf.getvalue(), logging.root.level, len(logging.root.handlers)
logging.root.handlers.clear(); logging.root.setLevel(30); r
= a handler of the notebook's class
import logging
class H(logging.Handler):
    def __init__(self): super().__init__(); self.seen = []
    def emit(self, r): self.seen.append(r.getMessage())
h = H(); lg9 = logging.getLogger('lg9'); lg9.handlers[:] = [h]; lg9.setLevel(10)
---
lg9.debug('a'); logging.getLogger('lg9.sub').info('b')
---
h.seen, lg9.handlers == [h]
= a cell that ends too early
---
x = (1,
= a cell that ends in a block
---
for i in range(3):
= a cell that ends within a text
---
x = 3
y = '''abc
""")


@pytest.mark.parametrize("title", PROCESS)
def test_what_a_cell_sets(notebook, title):
    """It is in force in the function and, if the cell has set it, afterwards."""
    agrees(notebook, PROCESS[title])
