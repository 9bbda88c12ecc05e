"""The layers of settings, and what is said about mistakes in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lambdamagic.config import Settings, load_settings
from lambdamagic.config.ages import parse_age
from lambdamagic.config.fields import whole_amount
from lambdamagic.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A configuration folder and a project, both empty."""
    (tmp_path / "config" / "lambdamagic").mkdir(parents=True)
    (tmp_path / "project" / "deep" / "er").mkdir(parents=True)
    return tmp_path


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(home / "config"), "HOME": str(home), **more}


def user(home: Path, text: str | bytes) -> Path:
    path = home / "config" / "lambdamagic" / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def project(home: Path, text: str) -> Path:
    path = home / "project" / "pyproject.toml"
    path.write_text(text)
    return path


def test_without_any_layer_all_is_default(home: Path) -> None:
    """Nothing configured gives the defaults, and says so."""
    resolved = load_settings(cwd=home, environ=environ(home))
    assert resolved.settings == Settings()
    assert {origin for _, _, origin in resolved.rows()} == {"default"}


def test_each_layer_overrides_the_one_below(home: Path) -> None:
    """Seven places set the memory; taking the highest away uncovers the next, with its origin."""
    config = user(home, "memory_mb = 1001")
    pyproject = project(home, "[tool.lambdamagic]\nmemory_mb = 1002")
    layers = {
        "ipython_config": {"memory_mb": 1003},
        "environ": environ(home, LAMBDAMAGIC_MEMORY_MB="1004"),
        "config_magic": {"memory_mb": 1005},
        "overrides": {"memory_mb": 1006},
    }
    origins = {
        1006: "an option or argument",
        1005: "%config LambdaMagics.memory_mb",
        1004: "the environment variable LAMBDAMAGIC_MEMORY_MB",
        1003: "ipython_config.py (c.LambdaMagics.memory_mb)",
        1002: f"pyproject.toml [tool.lambdamagic]: {pyproject}",
        1001: str(config),
        2048: "default",
    }
    takers = [
        lambda: layers.pop("overrides"),
        lambda: layers.pop("config_magic"),
        lambda: layers.update(environ=environ(home)),
        lambda: layers.pop("ipython_config"),
        pyproject.unlink,
        config.unlink,
        lambda: None,
    ]
    seen = {}
    for take in takers:
        resolved = load_settings(cwd=home / "project" / "deep" / "er", **layers)
        seen[resolved.settings.memory_mb] = resolved.origin("memory_mb")
        take()
    assert seen == origins
    assert [*seen] == [*origins]


def test_layers_are_merged_setting_by_setting(home: Path) -> None:
    """A higher layer hides only what it sets itself."""
    user(home, 'function = "f"\nbucket = "bucket"\nmemory_mb = 512')
    resolved = load_settings(cwd=home, environ=environ(home), overrides={"memory_mb": 1024, "timeout_s": None})
    assert (resolved.settings.function, resolved.settings.memory_mb, resolved.settings.timeout_s) == ("f", 1024, 300)


def test_numbers_and_truth_values_are_read_from_text(home: Path) -> None:
    """Environment variables hold text, which becomes the setting's own type; an empty one is unset."""
    more = {"LAMBDAMAGIC_QUIET": "Yes", "LAMBDAMAGIC_TIMEOUT_S": " 60 ", "LAMBDAMAGIC_FUNCTION": ""}
    settings = load_settings(cwd=home, environ=environ(home, **more)).settings
    assert (settings.quiet, settings.timeout_s, settings.function) == (True, 60, None)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LAMBDAMAGIC_MAXIMAL_COST", "Did you mean LAMBDAMAGIC_MAX_COST_USD"),
        ("LAMBDAMAGIC_WORKERS", "`lambdamagic config` lists them"),
        ("LAMBDAMAGIC_MEM", "`lambdamagic config` lists them"),
    ],
)
def test_a_variable_that_is_no_setting_is_reported(home: Path, name: str, meant: str) -> None:
    """With the nearest name, if one is near; it is not refused, as it may be another program's."""
    with pytest.warns(RuntimeWarning, match=f"unknown setting in the environment variable {name}. {meant}"):
        assert load_settings(cwd=home, environ=environ(home, **{name: "1"})).settings == Settings()


def test_the_functions_own_variables_are_no_settings(home: Path) -> None:
    """Code in a function that sends jobs itself is not warned of what lambdamagic put there."""
    own = {"LAMBDAMAGIC_TRIGGER_KEY": "00", "LAMBDAMAGIC_HOLDS": "1:x", "LAMBDAMAGIC_INVOKES": "f"}
    assert load_settings(cwd=home, environ=environ(home, **own)).settings == Settings()


def test_foreign_environment_variables_are_left_alone(home: Path) -> None:
    """A variable that resembles no setting belongs to another process."""
    assert load_settings(cwd=home, environ=environ(home, LAMBDA_ZZZ="1")).settings == Settings()


def test_the_nearest_project_with_a_table_counts(home: Path) -> None:
    """A pyproject.toml without our table does not hide the one above it."""
    project(home, "[tool.lambdamagic]\nretries = 3")
    (home / "project" / "deep" / "pyproject.toml").write_text("[tool.other]\nx = 1")
    assert load_settings(cwd=home / "project" / "deep" / "er", environ=environ(home)).settings.retries == 3


def test_home_is_used_without_xdg(home: Path) -> None:
    """Without XDG_CONFIG_HOME, or with a relative one, the file is in ~/.config."""
    if sys.platform == "win32":
        pytest.skip("Windows has a folder of its own")
    folder = home / ".config" / "lambdamagic"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("retries = 4")
    for xdg in ({}, {"XDG_CONFIG_HOME": "relative"}):
        assert load_settings(cwd=home, environ={"HOME": str(home), **xdg}).settings.retries == 4


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("memory_mb = \n", "line 1, column 13"),
        ("ok = 1\nbroken line\n", "line 2, column 8"),
        ('x = "never closed', "line 1"),
        (b'a = 1\nb = "\xff"\n', "line 2, column 6: not UTF-8"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(home: Path, text: str | bytes, where: str) -> None:
    """Broken TOML is reported in one line that names the file, the line and the column."""
    path = user(home, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(cwd=home, environ=environ(home))
    message = str(caught.value)
    assert message.startswith(f"{path}, {where}")
    assert "\n" not in message


def test_an_unreadable_file_is_reported(home: Path) -> None:
    """A folder in the file's place is a ConfigError that names it."""
    path = home / "config" / "lambdamagic" / "config.toml"
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(cwd=home, environ=environ(home))


def test_a_value_in_place_of_a_table_is_reported(home: Path) -> None:
    """`tool.lambdamagic = 1` is a ConfigError, not a crash."""
    path = project(home, "[tool]\nlambdamagic = 1")
    with pytest.raises(ConfigError, match="must be a table") as caught:
        load_settings(cwd=home / "project", environ=environ(home))
    assert str(path) in str(caught.value)


def test_an_unknown_setting_names_the_nearest_and_its_origin(home: Path) -> None:
    """In every layer a misspelt name is answered with the setting that was meant."""
    path = project(home, "[tool.lambdamagic]\nmemory = 1024")
    with pytest.raises(ConfigError) as caught:
        load_settings(cwd=home / "project", environ=environ(home))
    assert "'memory'" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Did you mean memory_mb?" in str(caught.value)
    path.unlink()
    layers = [
        ({"environ": environ(home, LAMBDAMAGIC_MEMROY_MB="1")}, "the environment variable LAMBDAMAGIC_MEMROY_MB"),
        ({"environ": environ(home), "config_magic": {"memroy_mb": 1}}, "%config LambdaMagics.memroy_mb"),
        ({"environ": environ(home), "overrides": {"memroy_mb": None}}, "unknown setting 'memroy_mb'\n"),
    ]
    for layer, origin in layers:
        with pytest.raises(ConfigError, match="Did you mean memory_mb") as caught:
            load_settings(cwd=home, **layer)
        assert origin in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("memory_mb", 100, "128 to 10,240 MB"),
        ("memory_mb", 127, "Lambda quotas"),
        ("timeout_s", 0, "1 to 1,800 seconds"),
        ("timeout_s", "soon", "is not a whole number"),
        ("timeout_s", 1.5, "is not a whole number"),
        ("timeout_s", True, "is not a whole number"),
        ("quiet", "perhaps", "is not true or false"),
        ("target", "asw", "Did you mean aws?"),
        ("serializer", "pickle", "auto, dill, cloudpickle"),
        ("endpoint_url", "localhost:9000", "an http or https URL"),
        ("bucket", "My_Bucket", "a bucket's name"),
        ("function", "a b", "partial ARN"),
        ("python", "3.9", "a version such as 3.12"),
        ("python", 3.12, "is not text"),
        ("chunksize", 0, "1 tasks or more"),
        ("local_port", 65_536, "0 to 65,535"),
        ("inline_limit_bytes", 6_000_000, "Base64"),
    ],
)
def test_bad_values_name_limits_and_origin(home: Path, name: str, value: object, expected: str) -> None:
    """The message has the value, what is allowed, and where it was set."""
    with pytest.raises(ConfigError) as caught:
        load_settings(cwd=home, environ=environ(home), config_magic={name: value})
    assert expected in str(caught.value)
    assert f"{name} = {value!r}" in str(caught.value)
    assert f"%config LambdaMagics.{name}" in str(caught.value)


def test_a_quoted_number_in_toml_is_refused(home: Path) -> None:
    """In a file a number in quotes is a mistake: TOML can say what it means."""
    user(home, 'memory_mb = "1024"')
    with pytest.raises(ConfigError, match="is not a whole number"):
        load_settings(cwd=home, environ=environ(home))


@pytest.mark.parametrize(
    "name",
    ["f", "f:prod", "f:$LATEST", "123456789012:function:f", "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:7"],
)
def test_functions_are_named_as_invoke_takes_them(home: Path, name: str) -> None:
    """Names, partial ARNs and ARNs, with or without a version or alias, are taken."""
    overrides = {"function": name}
    assert load_settings(cwd=home, environ=environ(home), overrides=overrides).settings.function == name


def test_auto_is_aws_only_when_it_can_be() -> None:
    """The target auto is aws with both function and bucket, else local; what is missing can be asked."""
    assert Settings().resolved_target() == "local"
    assert Settings(function="f").resolved_target() == "local"
    assert Settings(function="f", bucket="bucket").resolved_target() == "aws"
    assert Settings(function="f", bucket="bucket", target="local").resolved_target() == "local"
    assert Settings(target="aws", bucket="bucket").missing_for_aws() == ["function"]


def test_the_process_environment_is_the_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the process's own environment and working directory are read, each time again."""
    for name in [name for name in os.environ if name.startswith("LAMBDAMAGIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.chdir(home / "project")
    assert load_settings().settings.retries == 0
    project(home, "[tool.lambdamagic]\nretries = 5")
    assert load_settings().settings.retries == 5
    monkeypatch.setenv("LAMBDAMAGIC_RETRIES", "6")
    assert load_settings().settings.retries == 6


def test_an_unknown_origin_is_a_key_error(home: Path) -> None:
    """Asking for the origin of no setting is the program's mistake."""
    with pytest.raises(KeyError):
        load_settings(cwd=home, environ=environ(home)).origin("nothing")


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        *(("512", "MB", 512), ("512MB", "MB", 512), ("1.5 GB", "MB", 1536), ("10gib", "MB", 10_240)),
        *(("300", "seconds", 300), ("90s", "seconds", 90), ("5m", "seconds", 300), ("1.5h", "seconds", 5400)),
        *(("5", "", 5), ("5m", "", None), ("1.0001GB", "MB", None), ("GB", "MB", None), ("512kB", "MB", None)),
        *(("4_096", "MB", 4096), ("1_", "MB", None), ("1__0", "MB", None), ("\u0663", "MB", None), ("-_1", "MB", None)),
    ],
)
def test_amounts_can_have_units(text: str, unit: str, amount: int | None) -> None:
    """Memory as Lambda counts it, 1,024 MB to a GB, and times; what comes to no whole number is none."""
    assert whole_amount(text, unit) == amount


@pytest.mark.parametrize("text", ["9" * 5000 + "s", "1" * 400 + "w", "\u0663d", "-1d", "1.5h", "nan d", "d", "1_0d"])
def test_an_age_has_few_digits(text: str) -> None:
    """A number that Python does not read, or that no clock reaches, is refused as any other text that is no age."""
    with pytest.raises(ConfigError, match="invalid age"):
        parse_age(text)


def test_a_setting_can_have_a_unit_wherever_it_is_set(home: Path) -> None:
    """In files and with %config too, where a number is no text."""
    found = load_settings(
        cwd=home, environ=environ(home), config_magic={"memory_mb": "2GB", "timeout_s": "10m"}
    ).settings
    assert (found.memory_mb, found.timeout_s) == (2048, 600)
