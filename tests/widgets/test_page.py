"""A job's progress as HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lambdamagic.widgets import page
from tests.widgets.jobs import START, after, ended, outcome, over, sent, started


class _Tree(HTMLParser):
    """The elements with their attributes, and the text; unbalanced tags are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def with_role(self, role: str) -> list[dict[str, Any]]:
        return [attributes for _, attributes in self.elements if attributes.get("role") == role]


def _tree(*happened: Any, now: float = START + 4) -> _Tree:
    return _Tree(page.render(after(*happened), now))


def test_the_bar_has_its_value_for_screen_readers() -> None:
    """It is a progressbar with a name, limits, a value and the value in words."""
    tree = _tree(started(), *(outcome(n) for n in range(3)))
    (bar,) = tree.with_role("progressbar")
    assert bar["aria-label"] == "evaluate × 10"
    assert (bar["aria-valuemin"], bar["aria-valuenow"], bar["aria-valuemax"]) == ("0", "3", "10")
    assert bar["aria-valuetext"] == "3 of 10 tasks"


def test_parts_of_the_bar_have_their_share_a_title_and_a_pattern() -> None:
    """Done, failed and under way are distinguished by more than a color."""
    tree = _tree(started(), sent("a", 0, 1), outcome(2), outcome(3, "E"), outcome(4), outcome(5))
    parts = {
        a["title"]: a["style"] for tag, a in tree.elements if tag == "div" and "width" in a["style"] and "title" in a
    }
    assert list(parts) == ["3 done", "1 failed", "2 running"]
    assert "width:30.000%" in parts["3 done"]
    assert "width:10.000%" in parts["1 failed"]
    assert "width:20.000%" in parts["2 running"]
    assert "gradient" not in parts["3 done"]
    assert "45deg" in parts["1 failed"]
    assert "90deg" in parts["2 running"]


def test_a_cell_has_no_bar() -> None:
    """One task has no way between nothing and all."""
    assert not _tree(started(1, "fit(X)"), sent("a", 0)).with_role("progressbar")


def test_what_the_user_wrote_stays_text() -> None:
    """Labels and errors are escaped, in text and in attributes."""
    evil = '<img src=x onerror="alert(1)">'
    html = page.render(after(started(3, evil), outcome(0, f"ValueError: {evil}")), START + 1)
    assert "<img" not in html
    tree = _Tree(html)
    assert tree.with_role("progressbar")[0]["aria-label"] == evil
    assert f"✗ 1 × ValueError: {evil}" in "".join(tree.words)


@pytest.mark.parametrize(
    ("end", "sign"), [(over(), "✓ done"), (over("failed", "e"), "✗ failed"), (over("cancelled"), "■ cancelled")]
)
def test_a_state_is_a_sign_and_a_word(end: Any, sign: str) -> None:
    """Never a color alone."""
    assert sign in _tree(started(), end).words


def test_a_card_has_the_same_lines_from_its_first_drawing_to_its_last() -> None:
    """What stands below a view does not jump while it runs."""
    moments: list[list[Any]] = [[started()], [started(), sent("a", 0, 1)]]
    moments.append([*moments[1], ended("a", 0, 1, is_cold=True), outcome(0), outcome(1)])
    moments.append([*moments[2], over()])
    outlines = []
    for moment in moments:
        html = page.render(after(*moment), START + 4)
        depth, lines = 0, 0
        for tag in re.findall(r"<(/?)div", html):
            depth += -1 if tag else 1
            lines += depth == 2 and not tag
        outlines.append(lines)
    assert outlines == [3, 3, 3, 3]


def test_many_kinds_of_error_are_shortened() -> None:
    """Three are shown, the most frequent first, and how many more there are."""
    words = _tree(started(), *(outcome(n, f"E{n // 2}") for n in range(9))).words
    assert [word for word in words if word.startswith("✗")][:1] == ["✗ 2 × E0"]
    assert "and 2 other kinds of error" in words


def test_every_color_has_a_fallback() -> None:
    """Outside of Jupyter its variables do not exist; the page is complete in itself."""
    html = page.render(after(started(), sent("a", 0), outcome(1), outcome(2, "E"), over()), START + 4)
    assert "var(--jp-" in html
    assert not re.findall(r"var\(--jp-[\w-]+\)", html)
    assert "<script" not in html
    assert "http" not in html
