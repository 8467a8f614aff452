"""`S3HAUL_<FLAG>` sets a flag of `cp`."""

import pytest

from s3haul.cli.commands import load
from s3haul.cli.configure import set_by_variables, unknown_variables
from s3haul.cli.flags import SETTINGS, FilterFlags, variable_of
from s3haul.cli.selection import filters_in_order

OPTIONS = [param for param in load("cp").params if param.param_type_name == "option" and not param.hidden]
OTHER = {
    "duration_seconds": "900",
    "page_size": "7",
    "concurrency": "9",
    "existing": "skip",
    "transport": "sdk",
    "credential_timeout": "5",
    "retry_timeout": "5m",
    "stall_timeout": "5",
    "max_rps": "5",
    "max_kms_rps": "5",
    "metrics_port": "9177",
    "list_concurrency": "4",
    "files_format": "csv",
    "files_encoding": "url",
}


def parsed(monkeypatch, *words: str, **variables: str) -> dict:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = load("cp")
    assert command.context_settings == SETTINGS
    return command.make_context("cp", ["s3://b", ".", *words], **SETTINGS).params


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_flag_of_cp_has_an_environment_variable(monkeypatch, option):
    flag = max(option.opts, key=len)
    value = OTHER.get(option.name, "json" if option.name == "log_format" else "a")
    words = [flag] if option.is_flag else [flag, value]
    by_flag = parsed(monkeypatch, *words)
    by_variable = parsed(monkeypatch, **{variable_of(option.name): "1" if option.is_flag else value})
    assert by_variable == by_flag
    assert by_flag != parsed(monkeypatch, **{variable_of(option.name): ""})


def test_a_flag_overrides_its_variable(monkeypatch):
    found = parsed(monkeypatch, "--concurrency", "5", S3HAUL_CONCURRENCY="9", S3HAUL_PROFILE="export")
    assert (found["concurrency"], found["profile"]) == (5, "export")


def test_filters_of_variables_come_before_those_of_the_command_line(monkeypatch):
    found = parsed(monkeypatch, S3HAUL_EXCLUDE="*", S3HAUL_INCLUDE="*.a *.b")
    both = FilterFlags(include=found["include"], exclude=found["exclude"])
    assert filters_in_order([], both) == ((False, "*"), (True, "*.a"), (True, "*.b"))
    words = ["--include", "*.c"]
    assert filters_in_order(words, FilterFlags(include=["*.c"], exclude=["*"])) == (
        (False, "*"),
        (True, "*.c"),
    )


def test_an_unknown_variable_is_reported_with_a_suggestion():
    params = load("cp").params
    environ = {"S3HAUL_CONCURENCY": "9", "S3HAUL_MOOT": "1", "S3HAUL_JSON": "1", "HOME": "/"}
    assert set_by_variables(params, environ) == {"json": "1"}
    assert list(unknown_variables(params, environ)) == [
        "S3HAUL_CONCURENCY has no effect: there is no such flag; did you mean S3HAUL_CONCURRENCY ?",
        "S3HAUL_MOOT has no effect: there is no such flag",
    ]
