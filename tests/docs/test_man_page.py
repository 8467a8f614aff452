"""The man page is that of the command line as it is, and roff that a formatter takes."""

import re
import shutil
import subprocess

import pytest

import man_page
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.flags import variable_of


def test_the_man_page_is_made_of_the_command_line_as_it_is():
    """Where this fails because a flag or a text was changed on purpose: make man."""
    assert man_page.PAGE.read_text() == man_page.page()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_man_page_names_every_flag_that_the_help_shows(name):
    page = man_page.page()
    for param in load(name).params:
        if param.param_type_name == "option" and not param.hidden:
            assert man_page.escaped(max(param.opts, key=len)) in page


def test_the_variable_in_the_man_page_is_that_of_the_flag():
    assert variable_of("role_arn") in man_page.page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_a_formatter_takes_the_man_page_without_a_warning_and_shows_the_text_as_it_is():
    command = ["groff", "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=200n", str(man_page.PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    shown = re.sub(r"\s+", " ", done.stdout)
    assert "s3haul cp --sse aws:kms --profile export s3://BUCKET ./ --recursive" in shown
    assert "EXIT STATUS" in shown


@pytest.mark.parametrize(
    ("text", "roff"),
    [("a-b", "a\\-b"), (".x\n'y", "\\&.x\n\\&'y"), ("C:\\x", "C:\\ex"), ("s. t", "s. t")],
)
def test_text_that_looks_like_roff_is_printed_as_it_is(text, roff):
    assert man_page.escaped(text) == roff
