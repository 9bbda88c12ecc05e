"""Objects whose pickling makes copies, and namespaces that code has made: changes of them come back."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

MADE = constructs("""
= a __getstate__ that copies what it gives
class G:
    def __init__(self): self.items = [1]; self.cache = object()
    def __getstate__(self): return {'items': list(self.items)}
    def __setstate__(self, s): self.items = s['items']
g = G(); gs = [g]; keep = g.cache
---
g.items.append(2)
---
g.items, gs[0] is g, getattr(g, 'cache', None) is keep
= a __reduce__ that copies
class G:
    def __init__(self, items): self.items = items
    def __reduce__(self): return (G, (list(self.items),))
g = G([1]); gs = [g]
---
g.items.append(2)
---
g.items, gs[0].items, gs[0] is g
= an ElementTree changed
import xml.etree.ElementTree as ET
t = ET.fromstring('<a><b/></a>'); b = t[0]
---
b.set('x', '1'); ET.SubElement(t, 'c').text = 'z'
---
ET.tostring(t), t[0] is b
= module made by the cell
import types, sys
---
m = types.ModuleType('mine9'); m.x = 1; exec('def f(): return x', m.__dict__); m.f()
---
m.x, m.f()
= module made by the notebook
import types, sys
m = types.ModuleType('mine8'); m.x = 1; exec('def f():\\n    global x\\n    x += 1\\n    return x', m.__dict__)
---
m.f(), m.x
---
m.x, m.f()
= code run in a dictionary of the cell
pass
---
ns = {}; exec('def f(): return y9\\ny9 = 3', ns); ns['f']()
---
ns['f'](), sorted(k for k in ns if k[:2] != '__'), ns['__builtins__'] is __import__('builtins').__dict__
= code run in a dictionary of the notebook
ns = {}; exec('def f():\\n    global y9\\n    y9 += 1\\n    return y9\\ny9 = 3', ns)
---
ns['f']()
---
ns['f'](), ns['y9']
= a ufunc of numpy.frompyfunc
import numpy as np
k = 1
uf = np.frompyfunc(lambda a, b: a + b + k, 2, 1)
---
uf([1], [2]).tolist()
---
uf([1], [5]).tolist()
= a compiled struct
import struct
s = struct.Struct('<I')
---
s.pack(7)
---
s.size
= a cell of comments
pass
---
# nothing here
---
1
""")


@pytest.mark.parametrize("title", MADE)
def test_made_by_code(notebook, title):
    """It is as the plain kernel leaves it."""
    agrees(notebook, MADE[title])


def test_a_dictionary_in_which_code_was_run_is_sent_with_its_builtins(notebook):
    """As the notebook has it, when it goes there and when it came back."""
    notebook.remote("ns = {}; exec('def f(): return y9\\ny9 = 3', ns)")
    assert notebook.remote("ns['f'](), ns['__builtins__'] is __import__('builtins').__dict__").value == (3, True)
