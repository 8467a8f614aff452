"""Destinations to report on: a journal that was written by the product's own code, and no files."""

from collections.abc import Iterable
from pathlib import Path

from journals import CRC, nothing
from s3haul.core.stats import PrefixTime, Sample, SlowObject
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.performance import Performance
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

STARTED = 1_764_412_200.0
SOURCE = SourceIdentity("bucket", "", "https://s3.eu-central-1.amazonaws.com")
KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
PARTS = Checksum("SHA256", "COMPOSITE", "AAAA-2")
DENIED = "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/export is not authorized to kms:Decrypt"

HOSTILE = [
    "<script>alert('key')</script>",
    '"><img src=x onerror=alert("attribute")>',
    "'-alert(1)-' onmouseover='alert(1)",
    "</style></script></title></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in y %}",
    "&lt;b&gt; &amp; &#x3c;",
    "line\nbreak\r\ttab \x1b[2J\x07 nul-free",
    "\u202egpj.exe \u2066x\u2069 \u2028",
    '=HYPERLINK("https://evil.example")',
    "`code` | bar **bold** [x](javascript:alert(1))",
    "https://evil.example/pixel.png",
]


def outcome(key: str, size: int, state: State = State.DONE, reason: str | None = None, **fields) -> Outcome:
    ref = ObjectRef(key, size, '"e"', STARTED, fields.pop("storage_class", "STANDARD"))
    if state is State.DONE:
        given = {"verdict": Verdict.VERIFIED, "checksum": CRC, "sse": "aws:kms", "kms_key_id": KMS_KEY}
        fields = given | {"fetched": size} | fields
    return Outcome(ref, state, fields.pop("path", key), reason, **fields)


def mixed() -> list[Outcome]:
    """Some of everything, hostile keys and words among them."""
    found = [outcome(f"logs/2026/{number:04}.gz", 300 * number) for number in range(200)]
    found += [
        outcome(f"parts/{number}", 40 << 20, checksum=PARTS, part_sizes=(20 << 20,) * 2)
        for number in range(5)
    ]
    found += [
        outcome(
            "plain/none",
            7,
            verdict=Verdict.SIZE_ONLY,
            checksum=None,
            reason="no-checksum",
            sse="AES256",
            kms_key_id="",
        )
    ]
    found += [
        outcome(f"secret/{number:03}", 1000, State.FAILED, "kms-access-denied", detail=DENIED, attempts=2)
        for number in range(30)
    ]
    found += [
        outcome(f"cold/{number}", 5000, State.SKIPPED, "archived", storage_class="GLACIER")
        for number in range(3)
    ]
    for number, key in enumerate(HOSTILE):
        found += [outcome(f"evil/{key}", 10, State.FAILED, "network", detail=f"reset by {key}")]
        found += [outcome(f"odd/{key}/..", 10 + number, path=f"odd/{key}/~s3haul~=%2E%2E")]
    return found


def performance() -> Performance:
    samples = [
        Sample(
            *(
                float(second),
                1.0,
                50_000_000 - 400_000 * second,
                900 + second,
                40 * (second < 60),
                32 + second,
            ),
            *((3, 2) if 30 <= second < 40 else (0, 0)),
            int(second in {0, 45}),
            *((0.02, 0.2 + second / 500) if second != 50 else (None, None)),
        )
        for second in range(90)
    ]
    return Performance(
        samples=samples,
        slowest=[SlowObject(9.5, f"slow/{HOSTILE[0]}", 1 << 20), SlowObject(0.25, "slow/b", 7)],
        prefixes=[PrefixTime(HOSTILE[1], 2, 15, 11.0), PrefixTime("", 10, 1 << 20, 0.5)],
        retries={"throttled": 20, "server-error": 10},
    )


def destination(
    root: Path,
    outcomes: Iterable[Outcome],
    *,
    performance: Performance | None = None,
    ended: bool = True,
    code: int = 0,
) -> Path:
    """A directory with the journal of one run."""
    path = root / ".s3haul/journal.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    now = STARTED
    journal = Journal.open(path, SOURCE, sync=nothing, batch=10**6, interval=3600.0, clock=lambda: now)
    number = journal.begin_run()
    outcomes = list(outcomes)
    journal.record_all(outcomes)
    if performance is not None:
        journal.put_performance(number, performance)
    now = STARTED + 90
    if ended:
        size = sum(each.ref.size for each in outcomes)
        journal.end_run(number, complete=True, exit_code=code, listed=len(outcomes), listed_bytes=size)
    journal.close()
    return root
