"""What electrons ask to be installed; no server is needed."""

from __future__ import annotations

import pytest

from lambdamagic.covalent.electron_packages import check_commands, check_requirements, only_installs
from lambdamagic.errors import ParityError

_HELD = {"numpy": "2.1.3", "ruamel-yaml": "0.18.6", "torch": "2.6.0rc1"}


@pytest.mark.parametrize(
    "line",
    [
        *("numpy", "numpy>=2,<3", "NumPy ~= 2.1", "Ruamel.YAML==0.18.*", "torch", "numpy>=2  # because"),
        *("nothing; python_version < '3'", "numpy[extra]>=2", "# a comment", "--index-url x", ""),
    ],
)
def test_fulfilled_requirements(line: str) -> None:
    """Is accepted, however the requirement is written."""
    check_requirements([line], _HELD)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("numpy<2", "numpy<2 is required, the function has 2.1.3"),
        ("pandas", "pandas is missing"),
        ("git+https://example.org/x.git", "cannot be compared"),
    ],
)
def test_unfulfilled_requirements(line: str, message: str) -> None:
    """Is refused, and the hint says what to do."""
    with pytest.raises(ParityError, match=message.replace("+", r"\+")) as raised:
        check_requirements([line], _HELD)
    assert "lambdamagic deploy" in str(raised.value.hint)


def test_a_function_that_publishes_nothing() -> None:
    """Nothing can be compared."""
    check_requirements(["pandas"], None)


@pytest.mark.parametrize(
    ("command", "requirements", "installs_only"),
    [
        ("pip install numpy 'scipy>=1.14'", ["numpy", "scipy>=1.14"], True),
        ("python3 -m pip install -q --index-url https://example.org numpy", ["numpy"], True),
        ("echo a && pip3 install numpy; ls | wc", ["numpy"], False),
        ("pip install numpy\npip install scipy", ["numpy", "scipy"], True),
        ("pip list", [], False),
        ("echo 'unbalanced", [], False),
        ("echo pip install numpy", [], False),
    ],
)
def test_commands(command: str, requirements: list[str], installs_only: bool) -> None:
    """What a shell command would install by pip is compared like `DepsPip`."""
    assert (check_commands([command]), only_installs(command)) == (requirements, installs_only)


@pytest.mark.parametrize(
    "command", ["apt-get install -y gcc", "cd /tmp && sudo yum install gcc", "conda install numpy"]
)
def test_installers_of_a_system(command: str) -> None:
    """Cannot work in a function."""
    with pytest.raises(ParityError, match="nothing can be installed while a function runs"):
        check_commands([command])
