"""Which of a kernel's shells a page's messages go to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ipykernel.comm.comm import BaseComm
from ipykernel.kernelbase import Kernel

from lambdamagic.widgets.heard import hear_in_subshells

#: What ipykernel asks with, from 7.4 on.
_ROUTE = "_reply_subshell_for"
_CLICK = {"method": "custom", "content": {"kind": "cancel"}}


class _Session:
    """While a message is on its way out, the page's click comes in."""

    def __init__(self) -> None:
        self.went_to: list[str | None] = []

    def send(self, socket: Any, msg_type: str, *args: Any, **more: Any) -> None:
        if msg_type == "comm_msg":
            self.went_to.append(getattr(self.comm, _ROUTE)(_CLICK, "subshell"))

    comm: BaseComm


@pytest.mark.skipif(not hasattr(BaseComm, _ROUTE), reason="this kernel routes messages as they are addressed")
@pytest.mark.parametrize("is_ours", [False, True])
def test_a_click_works_while_the_cells_thread_sends(is_ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its subshell, not in the main shell, which the cell keeps busy; ipykernel alone sends it there."""
    session = _Session()
    monkeypatch.setattr(Kernel, "initialized", classmethod(lambda cls: True))
    cell: dict[str, Any] = {"header": {"msg_id": "cell"}}  # of the main shell: no subshell
    kernel = SimpleNamespace(session=session, iopub_socket=None, get_parent=lambda: cell)
    monkeypatch.setattr(BaseComm, "kernel", kernel)
    session.comm = comm = BaseComm(target_name="test")
    if is_ours:
        hear_in_subshells(comm)
    comm.send({"progress": 1})
    assert session.went_to == ["subshell" if is_ours else None]
    assert getattr(comm, _ROUTE)(_CLICK, "subshell") == ("subshell" if is_ours else None)
