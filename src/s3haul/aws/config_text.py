"""Edits one profile of an AWS configuration file as text, so that everything else keeps every byte. Pure.

It reads lines as configparser does: a line that is indented more than an option continues its value. It does not know
what the options mean. `config_edit` checks the result with a real parser.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# None removes an option. "s3.signature_version" is the option nested below `s3 =`.
Changes = Mapping[str, str | None]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_OPTION = re.compile(r"(?P<before>\s*(?P<name>.*?)\s*[=:]\s*)(?P<value>.*?)(?P<end>\s*)", re.DOTALL)
_NESTED_INDENT = "    "


@dataclass(slots=True)
class Option:
    """`line` is the index of its first line, `more` are those of the lines that continue its value."""

    name: str
    line: int
    more: list[int] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.more[-1] if self.more else self.line


@dataclass(slots=True)
class Section:
    """`line` is the index of its header."""

    header: str
    line: int
    options: list[Option] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.options[-1].last if self.options else self.line

    def option(self, name: str) -> Option | None:
        return next((each for each in self.options if each.name == name), None)


def edited(text: str, profile: str, changes: Changes) -> str:
    """The text with options of the profile changed, added and removed. A new profile is appended.

    Raises `ValueError` for an option that cannot be changed without guessing what its author meant.
    """
    lines = _LINE.findall(text)
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if _find(lines, profile) is None:
        gap = ending if lines and lines[-1].strip() else ""
        _insert(lines, len(lines), f"{gap}[{header(profile)}]{ending}", ending)
    for name, value in changes.items():
        section = _find(lines, profile)
        assert section is not None
        outer, _, inner = name.partition(".")
        if inner and value is not None:
            _nest(lines, section, outer, f"{inner} = {value}", ending)
        else:
            _change(lines, section, name, value, ending)
    return "".join(lines)


def header(profile: str) -> str:
    """The text between the brackets of the header of a profile's section."""
    if profile == "default":
        return profile
    return f'profile "{profile}"' if " " in profile else f"profile {profile}"


def profile_of(section: str) -> str | None:
    """The profile that a section defines, as botocore parses its header; None for other sections."""
    if not section.startswith("profile"):
        return section if section == "default" else None
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None


def _find(lines: list[str], profile: str) -> Section | None:
    """The section of the profile. If there are several, botocore uses the last."""
    found = [each for each in _sections(lines) if profile_of(each.header) == profile]
    return found[-1] if found else None


def _sections(lines: list[str]) -> Iterator[Section]:
    section: Section | None = None
    option: Option | None = None
    level = 0
    for number, line in enumerate(lines):
        value = line.strip()
        if not value or value.startswith(("#", ";")):
            continue
        indent = len(line) - len(line.lstrip())
        if option is not None and indent > level:
            option.more.append(number)
            continue
        level = indent
        if head := _HEADER.match(value):
            if section is not None:
                yield section
            section, option = Section(head["header"], number), None
        elif section is not None and (words := _OPTION.fullmatch(line)):
            option = Option(words["name"].lower(), number)
            section.options.append(option)
    if section is not None:
        yield section


def _change(lines: list[str], section: Section, name: str, value: str | None, ending: str) -> None:
    option = section.option(name)
    if option is None:
        if value is not None:
            _insert(lines, section.last + 1, f"{_indent(lines, section)}{name} = {value}{ending}", ending)
        return
    words = _OPTION.fullmatch(lines[option.line])
    assert words is not None
    if not option.more and words["value"] == value:
        return
    if option.more:
        # These options have one line only, so the indented lines were meant for something else.
        raise ValueError(name)
    if value is None:
        del lines[option.line]
    else:
        # With an empty value, the line may have no space after the "=".
        before = words["before"] if words["value"] else words["before"].rstrip() + " "
        lines[option.line] = f"{before}{value}{words['end'] if words['value'] else ending}"


def _nest(lines: list[str], section: Section, outer: str, line: str, ending: str) -> None:
    """Add `line` below the option `outer`, or replace the nested option with the same name."""
    option = section.option(outer)
    if option is None:
        indent = _indent(lines, section)
        added = f"{indent}{outer} ={ending}{indent}{_NESTED_INDENT}{line}{ending}"
        _insert(lines, section.last + 1, added, ending)
        return
    words = _OPTION.fullmatch(lines[option.line])
    assert words is not None
    indent = _leading(lines[option.more[0]]) if option.more else _leading(lines[option.line]) + _NESTED_INDENT
    name = _name(line)
    if words["value"]:
        # `s3 = signature_version = s3v4` on one line: users often write that, but botocore needs a nested section.
        if _name(words["value"]) != name:
            raise ValueError(outer)
        lines[option.line] = words["before"].rstrip() + ending
    for number in option.more:
        if _name(lines[number]) == name:
            if lines[number].strip().replace(" ", "") != line.replace(" ", ""):
                lines[number] = f"{indent}{line}{ending}"
            return
    _insert(lines, option.last + 1, f"{indent}{line}{ending}", ending)


def _insert(lines: list[str], place: int, text: str, ending: str) -> None:
    """Insert lines before index `place`. If the last line of the file has no line end, add one first."""
    if place == len(lines) and lines and not lines[-1].endswith(("\r", "\n")):
        lines[-1] += ending
    lines[place:place] = _LINE.findall(text)


def _indent(lines: list[str], section: Section) -> str:
    """The indentation for a new option, such that the lines after it are still parsed as before."""
    if section.options:
        return _leading(lines[section.options[-1].line])
    behind = (line for line in lines[section.line + 1 :] if line.strip() and line.strip()[0] not in "#;")
    return max(_leading(lines[section.line]), _leading(next(behind, "")), key=len)


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _name(line: str) -> str:
    return line.partition("=")[0].strip()
