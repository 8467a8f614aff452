"""`S3HAUL_<FLAG>` stands for a flag of a haul."""

import pytest

from s3haul.cli.commands import load
from s3haul.cli.parsing import filters_in_order
from s3haul.cli.variables import SETTINGS, given, name_of, unknown

OPTIONS = [param for param in load("cp").params if param.param_type_name == "option" and not param.hidden]
OTHER = {
    "duration_seconds": "900",
    "page_size": "7",
    "concurrency": "9",
    "existing": "skip",
    "transport": "sdk",
    "credential_patience": "5",
    "max_rps": "5",
    "max_kms_rps": "5",
}


def parsed(monkeypatch, *words: str, **variables: str) -> dict:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = load("cp")
    assert command.context_settings == SETTINGS
    return command.make_context("cp", ["s3://b", ".", *words], **SETTINGS).params


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_flag_of_a_haul_has_a_variable_that_means_the_same(monkeypatch, option):
    flag = max(option.opts, key=len)
    value = OTHER.get(option.name, "json" if option.name == "log_format" else "a")
    words = [flag] if option.is_flag else [flag, value]
    by_flag = parsed(monkeypatch, *words)
    by_variable = parsed(monkeypatch, **{name_of(option.name): "1" if option.is_flag else value})
    assert by_variable == by_flag
    assert by_flag != parsed(monkeypatch, **{name_of(option.name): ""})


def test_a_flag_beats_its_variable(monkeypatch):
    found = parsed(monkeypatch, "--concurrency", "5", S3HAUL_CONCURRENCY="9", S3HAUL_PROFILE="export")
    assert (found["concurrency"], found["profile"]) == (5, "export")


def test_filters_of_variables_come_before_those_of_the_command_line(monkeypatch):
    found = parsed(monkeypatch, S3HAUL_EXCLUDE="*", S3HAUL_INCLUDE="*.a *.b")
    both = found["include"], found["exclude"]
    assert filters_in_order([], *both) == ((False, "*"), (True, "*.a"), (True, "*.b"))
    words = ["--include", "*.c"]
    assert filters_in_order(words, ["*.c"], ["*"]) == ((False, "*"), (True, "*.c"))


def test_a_variable_that_sets_nothing_is_told_with_the_one_that_is_meant():
    params = load("cp").params
    environ = {"S3HAUL_CONCURENCY": "9", "S3HAUL_MOOT": "1", "S3HAUL_JSON": "1", "HOME": "/"}
    assert given(params, environ) == {"json": "1"}
    assert list(unknown(params, environ)) == [
        "S3HAUL_CONCURENCY sets no flag: did you mean S3HAUL_CONCURRENCY ?",
        "S3HAUL_MOOT sets no flag",
    ]
