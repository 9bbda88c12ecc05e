"""Large lists, texts and the like are sent once while they stay the same, as arrays are, whatever the code is."""

from __future__ import annotations

import pytest

from lambdamagic.protocol.keys import blobs_prefix

#: Each makes `data`, of more than 1 MiB; rows have keys that the code reads too, and texts that occur many times.
_KINDS = {
    "floats": "data = [n / 7 for n in range(150_000)]",
    "rows": "data = [{'price': n, 'name': ('a', 'b')[n % 2], 'of': f'{n:99}'} for n in range(12_000)]",
    "rows in a list": "data = [[{'price': n, 'of': f'{n:99}'} for n in range(3_000)] for _ in range(4)]",
    "texts": "data = [f'word {n}' for n in range(150_000)]",
    "a text": "data = 'price ' * 300_000",
    "bytes": "data = bytes(range(256)) * 8_000",
    "a tuple": "data = tuple((n, 'price', f'{n:99}') for n in range(12_000))",
    "a dictionary": "data = {f'price {n:99}': [n, 'price'] for n in range(12_000)}",
    "a set": "data = {f'price {n}' for n in range(150_000)}",
    "arrays in a list": "import numpy as np\ndata = [['price', np.arange(99.0)] for _ in range(2_000)]",
}


@pytest.fixture
def blobs(notebook, monkeypatch):
    """Little goes inline; gives the sizes of what is new in the bucket since the last call."""
    monkeypatch.setenv("LAMBDAMAGIC_INLINE_LIMIT_BYTES", "200000")
    known: set[str] = set()
    notebook.remote("1")
    store = notebook.session.target(notebook.session.settings({"target": "local"})).stager.store

    def new() -> list[int]:
        found = {each.key: each.size_bytes for each in store.list(blobs_prefix()) if each.key not in known}
        known.update(found)
        return [size for size in found.values() if size > 500_000]

    new()
    return new


@pytest.mark.parametrize("make", _KINDS.values(), ids=_KINDS)
def test_a_large_value_is_sent_once(notebook, blobs, make):
    """Cells with other code, other small names and their own functions read the same value."""
    notebook.ok(make)
    notebook.remote("price = len(data)")
    assert len(blobs()) >= 1
    notebook.ok("key, small = 'price', {'price': ['name', 1]}\ndef count(of, price='price'): return len(of)")
    body = "print(small[key], 'price', 'name')\ncount(data) + len(data)"
    assert notebook.remote(body).value == 2 * notebook.names["price"]
    assert blobs() == []


def test_each_of_two_is_sent_once(notebook, blobs):
    """They are two objects in the bucket, and a change of one leaves the other there."""
    notebook.ok("""
        b_rows = [{'n': f'{n:99}'} for n in range(12_000)]
        a_words = [f'w{n % 1000:9}' for n in range(100_000)]
    """)
    notebook.remote("x = len(b_rows), len(a_words)")
    assert len(blobs()) == 2
    notebook.ok("b_rows.append({'n': 0})")
    assert notebook.remote("y = 2\nlen(a_words) + len(b_rows)").value == 112_001
    assert len(blobs()) == 1


def test_what_names_share_stays_shared(notebook, blobs):
    """Also between two large names, and between a large and a small one; changes come back to the same objects."""
    notebook.ok("""
        row = ['shared']
        left = [row, *[[f'{n:99}'] for n in range(12_000)]]
        right = {'row': row, 'all': left, 'more': [f'{n:99}' for n in range(12_000)]}
    """)
    ran = notebook.remote("""
        same = left[0] is row is right['row'], right['all'] is left
        row.append(1)
        left[5].append('x')
        right['more'][0] = row
        def made(): return left
        same
    """)
    assert ran.value == (True, True)
    here = notebook.ok("left[0] is row is right['row'] is right['more'][0], right['all'] is left, row, left[5][1:]")
    assert here.value == (True, True, ["shared", 1], ["x"])
    assert notebook.ok("made() is left").value is True


def test_an_object_of_the_users_is_sent_twice_at_most(notebook, blobs):
    """How large it is shows when it was written; from then on its bytes do not depend on the code."""
    notebook.ok("""
        class Texts:
            def __init__(self):
                self.kept = [{'price': n, 'of': f'{n:99}'} for n in range(12_000)]
        texts = Texts()
    """)
    for number in range(2):
        notebook.remote(f"price_{number} = {number}\nlen(texts.kept)")
    blobs()
    assert notebook.remote("key = 'price'\nsum(each[key] for each in texts.kept)").value == sum(range(12_000))
    assert blobs() == []


def test_tasks_of_maps_read_it_too(notebook, blobs):
    """A map's program, and a deep list that only the slow pickler can write."""
    notebook.ok("data = [f'task {n}' for n in range(150_000)]\ndeep = []\nfor _ in range(5_000): deep = [deep]")
    notebook.remote("len(data)")
    assert len(blobs()) == 1
    notebook.ok("%%lambda_map found = n in range(3)\ndata[n]")
    assert notebook.names["found"] == ["task 0", "task 1", "task 2"]
    assert blobs() == []
    ran = notebook.remote("while deep: deep, = deep\ndata.append(deep)\nlen(data)")
    assert ran.value == 150_001 and notebook.names["data"][-1] == []


def test_a_change_of_a_large_value_comes_back(notebook, blobs):
    """And a large value that has become small is an ordinary one again."""
    notebook.ok("data = [[n, f'{n:99}'] for n in range(12_000)]\nalias = data[7]")
    notebook.remote("data[7].append('new')\ndel data[8:]")
    assert notebook.ok("data[7] is alias, alias, len(data)").value == (True, [7, f"{7:99}", "new"], 8)
    assert notebook.remote("data[7][2] + str(len(data))").value == "new8"
    assert notebook.remote("'again' + data[7][2]").value == "againnew"
