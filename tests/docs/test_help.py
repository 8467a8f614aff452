"""The help says what the code does: every id has a page, every table is true."""

import re
from pathlib import Path

import pytest

import s3haul
from s3haul.cli.app import run
from s3haul.cli.commands import COMMANDS, load
from s3haul.cli.dry_run import estimate_object
from s3haul.cli.help_topics import TOPICS, topic_text
from s3haul.cli.manifest import COLUMNS
from s3haul.cli.summary import Summary
from s3haul.core.keypath import safe_path
from s3haul.core.ranges import KMS_FACTOR, MOST_BLOCKS
from s3haul.core.stats import Stats
from s3haul.diagnose.reasons import REASONS
from s3haul.diagnose.table import DIAGNOSES
from s3haul.engine.dry_run import Estimate
from s3haul.errors import S3HaulError, UsageError
from s3haul.options import RangeOptions
from s3haul.store.limiter import BYTES_PER_TRANSFER, FIRST_PLACES

SOURCE = Path(s3haul.__file__).parent
ID = re.compile(r"S3H-[A-Z0-9]+-\d{2}")


def test_every_id_in_the_source_has_a_page():
    used = {found for path in SOURCE.rglob("*.py") for found in ID.findall(path.read_text())}
    assert used
    for each in used:
        assert topic_text(each).startswith(each)


def test_no_page_describes_an_id_that_is_never_given():
    others = [path for path in SOURCE.rglob("*.py") if not path.name.startswith("table")]
    used = {found for path in others for found in ID.findall(path.read_text())}
    assert set(DIAGNOSES) <= used


def test_every_error_class_has_an_id_and_an_exit_code_that_the_help_lists():
    codes = topic_text("exit-codes")
    classes = [S3HaulError]
    for each in classes:
        classes += each.__subclasses__()
        assert each.default_id in DIAGNOSES, each
        assert re.search(rf"^  {each.exit_code} ", codes, re.MULTILINE), each


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_text(topic):
    assert len(topic_text(topic)) > 200


@pytest.mark.parametrize("path", [("cluster", "plan"), ("configure", "show"), ("policy", "lint")])
def test_help_on_a_subcommand_is_the_output_of_its_help_flag(path, capsys):
    assert run(["help", *path]) == 0
    by_topic = capsys.readouterr().out
    assert run([*path, "--help"]) == 0
    assert by_topic == capsys.readouterr().out
    assert run(["help", "names", "plan"]) == 2


def test_help_alone_lists_every_topic_on_one_line(capsys):
    assert run(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for topic in TOPICS:
        (line,) = [line for line in lines if line.startswith(f"  {topic} ")]
        assert len(line.split()) > 3
    assert set(COMMANDS) <= set(" ".join(lines).replace(",", "").split())
    assert all(len(line) <= 80 for line in lines)


def test_an_unknown_topic_and_an_unknown_id_are_refused():
    for topic in ("nonsense", "S3H-XXX-99"):
        with pytest.raises(UsageError):
            topic_text(topic)


def test_reasons_are_slugs_with_sentences_for_people():
    for slug, reason in REASONS.items():
        assert re.fullmatch(r"[a-z-]+", slug)
        assert ID.fullmatch(reason.id)
        assert reason.who in {"you", "your administrator", "data owner", "the service", "nobody"}


@pytest.mark.parametrize(
    ("key", "directory", "shadowed", "shown"),
    [
        ("a/b.txt", False, False, "a/b.txt"),
        ("a//b", False, False, "a/~s3haul~=/b"),
        ("../x", False, False, "~s3haul~=../x"),
        ("./x", False, False, "~s3haul~=./x"),
        ("a", False, True, "~s3haul~@a"),
        (".s3haul/x", False, False, "~s3haul~=.s3haul/x"),
        ("~s3haul~x", False, False, "~s3haul~=~s3haul~x"),
        ("dir/", False, False, "dir/~s3haul~="),
        ("dir/", True, False, "dir"),
    ],
)
def test_the_table_of_names_is_true(key, directory, shadowed, shown):
    assert str(safe_path(key, directory=directory, shadowed=shadowed)) == shown
    assert key in topic_text("names")
    assert shown in topic_text("names")


def test_the_name_of_a_version_is_the_one_of_the_table():
    assert str(safe_path("k\0ID", versioned=True)) in topic_text("names")


def test_the_sizes_in_the_text_on_large_objects_are_those_of_the_code():
    sizes, text = RangeOptions(), " ".join(topic_text("large-objects").split())
    mebi = {name: getattr(sizes, name) >> 20 for name in ("above", "smallest", "largest", "block", "memory")}
    assert f"An object of up to {mebi['above']} MiB is fetched with one GET" in text
    assert f"A range has {mebi['smallest']} to {mebi['largest']} MiB" in text
    assert f"{mebi['smallest'] * KMS_FACTOR} to {mebi['largest'] * KMS_FACTOR} MiB if every GET costs" in text
    assert f"{mebi['memory']} MiB of memory, at most {BYTES_PER_TRANSFER >> 20} MiB per range" in text
    assert f"At first at most {FIRST_PLACES} ranges are fetched in parallel" in text
    assert (
        f"each block ({mebi['block']} MiB, more beyond {sizes.block * MOST_BLOCKS // 10**11 * 100} GB)"
        in text
    )


def test_the_text_on_the_manifest_names_every_column():
    text = topic_text("manifest")
    for column in COLUMNS:
        assert re.search(rf"\b{column}\b", text), column


def test_the_text_on_json_names_every_field_of_the_summary_and_every_event():
    text = topic_text("json")
    ending = Summary(stats=Stats(), error=None, seconds=1.0, url="s3://b/", root=".")
    events = re.findall(r'self\._write\("(\w+)"', (SOURCE / "progress.py").read_text())
    assert len(events) >= 6
    for name in [*ending.as_object(), *events]:
        assert re.search(rf"\b{name}\b", text), name


@pytest.mark.parametrize("command", COMMANDS)
def test_help_on_a_command_is_its_own_help_or_a_topic_about_it(capsys, command):
    assert run(["help", command]) == 0
    asked = capsys.readouterr().out
    assert run([command, "--help"]) == 0
    own = capsys.readouterr().out
    assert asked == own or re.search(rf"s3haul {command} (DEST|[a-z]+ )", asked)


def test_the_flags_of_cp_are_shown_in_groups(capsys):
    run(["cp", "-h"])
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if re.fullmatch(r"[A-Z]\w+:", line)]
    assert headings == ["Arguments:", "Access:", "Selection:", "Transfer:", "Output:", "Other:"]
    assert "--ignored" not in lines


@pytest.mark.parametrize("topic", ["how-it-works", "developing"])
def test_every_module_that_the_help_names_exists(topic):
    packages = "|".join(path.name for path in SOURCE.iterdir() if path.is_dir())
    named = re.findall(rf"(?<![\w/])(?:{packages})/[a-z_0-9]+", topic_text(topic))
    assert len(named) >= 5
    for module in named:
        assert (SOURCE / f"{module}.py").is_file(), module


def test_the_help_for_developers_names_every_layer():
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    text = topic_text("developing")
    assert {name for name in packages if re.search(rf"^  {name} ", text, re.MULTILINE)} == packages


def test_the_table_of_conventions_names_flags_of_s3haul_that_exist():
    lines = topic_text("conventions").splitlines()
    (head,) = [line for line in lines if line.startswith("  task ")]
    first, end = head.index("s3haul"), head.index("aws s3")
    at = lines.index(head) + 1
    cells = [line[first:end] for line in lines[at : lines.index("", at)]]
    named = {flag for cell in cells for flag in re.findall(r"(?<![a-z])--?[a-z][a-z-]*", cell)}
    known = {flag for param in load("cp").params for flag in (*param.opts, *param.secondary_opts)}
    assert len(named) > 10
    assert named <= known


def test_the_table_of_conventions_begins_each_cell_in_its_column():
    lines = topic_text("conventions").splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("  task ")]
    columns = [lines[at].index(name) for name in ("s3haul", "aws s3", "s5cmd", "rclone")]
    rows = lines[at + 1 : lines.index("", at + 2)]
    assert len(rows) > 20
    for row in rows:
        for column in columns:
            assert row[column - 1 : column].strip() == "", row


def test_the_text_on_plans_names_every_field_of_an_estimate():
    text = topic_text("plans")
    for name in estimate_object(Estimate(), None):
        assert re.search(rf"\b{name}\b", text), name
