"""Objects named by S3 Inventory: written by others in each of its forms, and reports that must be refused."""

import gzip
import hashlib
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import orc

from s3haul.demo import inventory, seed
from s3haul.errors import SourceError
from s3haul.sources.inventory import Inventory, LocalReport
from s3haul.sources.inventory_rows import rows as rows_of
from s3haul.sources.rows import Unread
from sources.world import SOURCE, World, tree

HOSTILE = "data/é +%&\n日本"


def rows(world: World) -> list[tuple]:
    """As another program would list the bucket, with an old version and a delete marker among them."""
    found = [
        (seed.BUCKET, each.key, True, False, each.size, each.last_modified, each.etag, each.storage_class)
        for each in (world.bucket.current(key) for key in world.bucket.sorted_keys())
    ]
    now = datetime.now(UTC).timestamp()
    return [
        *reversed(found),
        (seed.BUCKET, "data/0/00.bin", False, False, 3, now, "0" * 32, "STANDARD"),
        (seed.BUCKET, "data/deleted", True, True, None, now, None, None),
    ]


COLUMNS = (
    "bucket",
    "key",
    "is_latest",
    "is_delete_marker",
    "size",
    "last_modified_date",
    "e_tag",
    "storage_class",
)


def parquet(path: Path, found: list[tuple]) -> None:
    kinds = ("VARCHAR", "VARCHAR", "BOOLEAN", "BOOLEAN", "BIGINT", "TIMESTAMP_MS", "VARCHAR", "VARCHAR")
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, kinds, strict=True))
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE report ({columns})")
        moved = [
            (*row[:5], datetime.fromtimestamp(row[5], UTC).replace(tzinfo=None), *row[6:]) for row in found
        ]
        database.executemany("INSERT INTO report VALUES (?, ?, ?, ?, ?, ?, ?, ?)", moved)
        database.execute(f"COPY report TO '{path}' (FORMAT parquet, COMPRESSION snappy)")


def orc_file(path: Path, found: list[tuple]) -> None:
    kinds = (
        pa.string(),
        pa.string(),
        pa.bool_(),
        pa.bool_(),
        pa.int64(),
        pa.timestamp("ms"),
        pa.string(),
        pa.string(),
    )
    moved = [(*row[:5], round(row[5] * 1000), *row[6:]) for row in found]
    arrays = [pa.array(values, kind) for values, kind in zip(zip(*moved, strict=True), kinds, strict=True)]
    orc.write_table(pa.table(dict(zip(COLUMNS, arrays, strict=True))), path, compression="zlib")


def report(place: Path, form: str, data: dict[str, bytes], *, schema: str = "", **changes) -> Path:
    """A report in a directory, as it is copied from S3; `changes` replace what its manifest says."""
    (place / "data").mkdir(parents=True)
    described = []
    for name, content in data.items():
        (place / "data" / name).write_bytes(content)
        key = f"inventory/{seed.BUCKET}/all/data/{name}"
        described.append({"key": key, "size": len(content), "MD5checksum": md5(content)})
    said = {"sourceBucket": seed.BUCKET, "fileFormat": form, "fileSchema": schema, "files": described}
    manifest = json.dumps(said | changes).encode()
    there = place / "2026-01-31T01-00Z"
    there.mkdir()
    (there / "manifest.json").write_bytes(manifest)
    (there / "manifest.checksum").write_text(md5(manifest) + "\n")
    return there / "manifest.json"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(("form", "write"), [("Parquet", parquet), ("ORC", orc_file)])
def test_a_report_of_another_writer_names_the_objects(world, form, write):
    world.put(HOSTILE, b"hostile")
    write(world.place / "rows", rows(world))
    manifest = report(
        world.place / "report", form, {f"1.{form.lower()}": (world.place / "rows").read_bytes()}
    )
    ran = world.cp("--inventory", str(manifest))
    assert ran.code == 0, ran.text
    assert tree(world.dest) == world.bodies()
    for key, line in world.manifest().items():
        told = datetime.fromisoformat(line["last_modified"]).timestamp()
        assert told == pytest.approx(world.bucket.current(key).last_modified, abs=0.001)
    assert world.server.count("ListObjectsV2") == world.server.count("HeadObject") == 0


def test_a_report_in_s3_is_fetched_and_checked_and_names_the_objects(world):
    world.put(HOSTILE, b"hostile")
    world.keep_versions()
    world.put("data/0/00.bin", b"newer")
    manifest = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET, files=3)
    ran = world.cp("--inventory", f"{SOURCE}/{manifest}")
    assert ran.code == 0, ran.text
    wanted = {key: body for key, body in world.bodies().items() if not key.startswith("inventory/")}
    assert tree(world.dest) == wanted
    assert world.server.count("ListObjectsV2") == 0
    assert ran.summary["done"]["objects"] == len(wanted), "the files of the report are none of the objects"
    below = world.cp(
        "--inventory", f"{SOURCE}/{manifest}", source=f"{SOURCE}/data/1/", dest=world.place / "below"
    )
    assert len(tree(world.place / "below")) == 4
    assert below.summary["warnings"] == [], "an inventory is of the whole bucket, whatever the source"


def test_changes_of_the_objects_since_the_report_are_reported(world):
    manifest = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET)
    world.put("data/0/00.bin", b"another")
    world.bucket.delete("data/1/01.bin")
    ran = world.cp("--inventory", f"{SOURCE}/{manifest}", source=f"{SOURCE}/data/")
    assert ran.code == 3, ran.text
    assert (ran.summary["changed"], ran.summary["vanished"]["objects"]) == (1, 1)
    assert tree(world.dest)["0/00.bin"] == b"another"


def csv_of(*lines: str) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


GOOD = f"{seed.BUCKET},data%2F0%2F00.bin"
BOMB = gzip.compress(f"{GOOD}\n".encode() * 200_000, 9)
REFUSED = {
    "another bucket in the manifest": ({"1.csv.gz": csv_of(GOOD)}, {"sourceBucket": "other"}, "'other'"),
    "another bucket in a row": (
        {"1.csv.gz": csv_of(GOOD, "other,a")},
        {},
        "row 2: it names the bucket 'other'",
    ),
    "a form that is none": ({"1.csv.gz": csv_of(GOOD)}, {"fileFormat": "XLSX"}, "XLSX"),
    "no column for the key": ({"1.csv.gz": csv_of(GOOD)}, {"fileSchema": "Bucket"}, "lack Bucket or Key"),
    "other columns": ({"1.csv.gz": csv_of(GOOD, f"{GOOD},x")}, {}, "3 columns, not 2"),
    "a bomb": ({"1.csv.gz": BOMB}, {}, "unpacks to more than"),
    "a line without an end": ({"1.csv.gz": gzip.compress(b"x" * 100_000)}, {}, "longer than"),
    "no gzip": ({"1.csv.gz": b"plain"}, {}, "cannot be unpacked"),
    "cut off": ({"1.csv.gz": csv_of(GOOD)[:-9]}, {}, "cannot be unpacked"),
    "no Parquet": ({"1.parquet": b"PAR1 nonsense PAR1"}, {"fileFormat": "Parquet"}, "cannot be read"),
    "no ORC": ({"1.orc": b"ORC nonsense"}, {"fileFormat": "ORC"}, "cannot be read"),
    "a way out": (
        {},
        {"files": [{"key": "a/../../etc/passwd", "size": 1, "MD5checksum": "0" * 32}]},
        "not the name",
    ),
    "an odd name": (
        {},
        {"files": [{"key": "data/\u001b", "size": 1, "MD5checksum": "0" * 32}]},
        "not the name",
    ),
    "an odd size": ({}, {"files": [{"key": "data/1", "size": 1e9, "MD5checksum": "0" * 32}]}, "not the size"),
    "no MD5": ({}, {"files": [{"key": "data/1", "size": 1}]}, "not an MD5"),
    "a wrong MD5": (
        {"1.csv.gz": csv_of(GOOD)},
        {"files": [{"key": "data/1.csv.gz", "size": len(csv_of(GOOD)), "MD5checksum": "0" * 32}]},
        "does not match",
    ),
    "a file that is not there": (
        {},
        {"files": [{"key": "data/1", "size": 1, "MD5checksum": "0" * 32}]},
        "there is no data file",
    ),
    "no files": ({}, {"files": {}}, "no list of files"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_hostile_report_is_refused(tmp_path, what):
    files, changes, said = REFUSED[what]
    manifest = report(tmp_path / "report", "CSV", files, **{"schema": "Bucket, Key"} | changes)
    with pytest.raises(SourceError, match=said):
        await all_rows(manifest)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "{"])
async def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    manifest = report(tmp_path / "report", "CSV", {})
    manifest.write_text(text)
    with pytest.raises(SourceError, match=r"does not match manifest\.checksum"):
        await all_rows(manifest)
    manifest.with_name("manifest.checksum").write_text(md5(text.encode()))
    with pytest.raises(SourceError, match=r"manifest\.json"):
        await all_rows(manifest)


async def test_a_report_without_its_checksum_is_refused(tmp_path):
    manifest = report(tmp_path / "report", "CSV", {})
    manifest.with_name("manifest.checksum").unlink()
    with pytest.raises(SourceError, match=r"manifest\.checksum: No such file"):
        await all_rows(manifest)


def test_a_report_in_s3_that_names_files_elsewhere_is_refused(world):
    key = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET)
    stored = world.bucket.current(key)
    said = json.loads(stored.content.read(0, stored.size))
    said["files"][0]["key"] = "data/0/00.bin"
    text = json.dumps(said).encode()
    world.put(key, text)
    world.put(key.replace("manifest.json", "manifest.checksum"), md5(text).encode())
    ran = world.cp("--inventory", f"{SOURCE}/{key}")
    assert (ran.code, "lies elsewhere" in ran.err) == (6, True), ran.text
    assert world.server.count("GetObject", "data/0/00.bin") == 0


async def all_rows(manifest: Path) -> int:
    source = Inventory(LocalReport(manifest), seed.BUCKET, "")
    return sum([len(chunk) async for chunk in source.chunks()])


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
async def test_many_rows_take_no_more_memory_than_few(tmp_path, monkeypatch, form):
    monkeypatch.setattr("s3haul.sources.rows.CHUNK", 500)
    peaks = []
    for count in (3_000, 9_000):
        found = [
            (seed.BUCKET, f"k/{n:09}", True, False, n, 1_700_000_000.0 + n, md5(b"%d" % n), "STANDARD")
            for n in range(count)
        ]
        data, place = tmp_path / f"{form}-{count}", tmp_path / f"report-{form}-{count}"
        if form == "CSV":
            data.write_bytes(csv_of(*[f"{row[0]},{row[1]},{row[4]},{row[6]}" for row in found]))
        else:
            (parquet_many if form == "Parquet" else orc_file)(data, found)
        manifest = report(place, form, {"1": data.read_bytes()}, schema="Bucket, Key, Size, ETag")
        del found
        tracemalloc.start()
        assert await all_rows(manifest) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def parquet_many(path: Path, found: list[tuple]) -> None:
    table = pa.table(
        {name: list(values) for name, values in zip(COLUMNS, zip(*found, strict=True), strict=True)}
    )
    with duckdb.connect() as database:
        database.register("report", table)
        database.execute(
            f"COPY (SELECT * REPLACE (make_timestamp_ms((last_modified_date * 1000)::BIGINT) AS"
            f" last_modified_date) FROM report) TO '{path}' (FORMAT parquet)"
        )


def test_rows_that_are_all_alike_are_a_bomb(tmp_path):
    one = f"SELECT '{seed.BUCKET}' AS bucket, 'k' AS key FROM range(1_000_000)"
    with duckdb.connect() as database:
        database.execute(f"COPY ({one}) TO '{tmp_path / 'Parquet'}' (FORMAT parquet)")
    same = [pa.repeat(pa.scalar(text), 1_000_000) for text in (seed.BUCKET, "k")]
    orc.write_table(
        pa.table({"bucket": same[0], "key": same[1]}),
        tmp_path / "ORC",
        compression="zlib",
        dictionary_key_size_threshold=1.0,
    )
    for form in ("Parquet", "ORC"):
        with pytest.raises(ValueError, match="far more than"):
            next(rows_of(tmp_path / form, form, (), seed.BUCKET, Unread()))
