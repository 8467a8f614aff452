"""Large objects in ranges from servers that we did not write, over both transports."""

import pytest

from contract.suite import noise
from engine.harness import leftovers, manifest, tree
from engine.on_demo import run_on
from foreign.access import keys_profile, role_profile
from s3haul.aws.session import open_store
from s3haul.options import AccessOptions, RangeOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import WrappedStore

MIB = 1 << 20
SMALL = RangeOptions(above=2 * MIB, smallest=MIB, largest=MIB, block=MIB // 2)
PARTS = (5 * MIB, 5 * MIB, MIB + 1)
SHA, CRC, WHOLE = noise(sum(PARTS)), noise(sum(PARTS) + 7)[7:], noise(9 * MIB + 5)

# moto gives neither the number of the parts nor their places: nobody can tell what the checksum is of.
COMPOSITE = {"moto": "size-only"}


def fill(server):
    bucket = server.fresh_bucket()
    for key, body, algorithm in (("composite/sha", SHA, "SHA256"), ("composite/crc", CRC, "CRC32")):
        starts = [sum(PARTS[:number]) for number in range(len(PARTS))]
        parts = [body[at : at + size] for at, size in zip(starts, PARTS, strict=True)]
        server.seed_multipart(key, parts, algorithm, "COMPOSITE", bucket=bucket)
    server.seed_checksummed("whole", WHOLE, "CRC64NVME", bucket=bucket)
    return bucket


class CountingStore(WrappedStore):
    """Counts GETs, apart from those of the thread for small objects."""

    loads = 0

    async def load(self, request, consume):
        self.loads += 1
        return await super().load(request, consume)


@pytest.mark.parametrize("transport", ["curl", "sdk"])
@pytest.mark.parametrize("name", ["ministack", "seaweedfs", "moto"])
async def test_large_objects_of_every_kind_are_verified(request, tmp_path, name, transport):
    server = request.getfixturevalue(name)
    source = SourceOptions(bucket=fill(server))
    home = tmp_path / "home"
    home.mkdir()
    profile = (
        role_profile(server, home) if name != "seaweedfs" else keys_profile(server, home, server.assume())
    )
    access = AccessOptions(profile="export", transport=transport)
    with profile:
        async with open_store(access, source, TransferOptions(), on_event=lambda _: None) as opened:
            store = CountingStore(opened.store)
            done = await run_on(store, tmp_path / "dest", source, ranges=SMALL)
    assert tree(tmp_path / "dest") == {"composite/sha": SHA, "composite/crc": CRC, "whole": WHOLE}
    verdicts = {key: line["verdict"] for key, line in manifest(tmp_path / "dest").items()}
    composite = COMPOSITE.get(name, "verified")
    assert verdicts == {"composite/crc": composite, "composite/sha": composite, "whole": "verified"}
    assert (leftovers(tmp_path / "dest"), done.stats.exit_code) == ([], 0)
    assert store.loads > 6
