"""What a cell shows is recorded for pages that are reloaded."""

from __future__ import annotations

from typing import Any

_CELL = """
import sys
from comm import get_comm_manager
from lambdamagic.magics.cell_outputs import CellOutputs
outputs = CellOutputs(get_ipython())
outputs.begin("job")
get_comm_manager().get_comm("gone")
print("kept", file=sys.stderr)
outputs.end(None)
outputs.of("job")
"""


def test_a_message_of_the_page_before_the_reload_is_not_the_cells(kernel: Any) -> None:
    """The kernel warns of comms that it does not know; afterwards it does so again."""
    ran = kernel.run(_CELL)
    assert ran.value == repr([{"output_type": "stream", "name": "stderr", "text": "kept\n"}])
    assert ran.stream("stderr") == "kept\n"
    assert "No such comm: gone" in kernel.run("get_comm_manager().get_comm('gone')").stream("stderr")
