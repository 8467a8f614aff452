"""What to copy, from Python: the same choices as typed options."""

import pytest

import s3haul
from s3haul.demo import inventory, seed
from s3haul.errors import LimitReachedError, SourceError
from s3haul.events import Changed
from s3haul.options import Conditions
from sources.world import tree

ACCESS = s3haul.AccessOptions(profile="export")


async def download(world, source=None, transfer=None, **more):
    return await s3haul.download(
        s3haul.SourceOptions(bucket=seed.BUCKET, **(source or {})),
        s3haul.DestinationOptions(root=world.dest),
        access=ACCESS,
        transfer=s3haul.TransferOptions(**(transfer or {})),
        **more,
    )


async def test_a_list_names_the_objects(world):
    keys = s3haul.ObjectList(location=world.file(["data/0/00.bin", "gone"]), form=s3haul.ListForm.KEYS)
    stats = await download(world, {"objects": keys})
    assert (stats.done, stats.vanished.count, stats.exit_code) == (1, 1, 3)


async def test_an_inventory_in_another_bucket_names_the_objects(world):
    other = world.server.cloud.add_bucket(
        type(world.bucket)("reports", world.bucket.account, world.bucket.region)
    )
    world.server.cloud.roles[seed.ROLE_ARN].policies.append(
        {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": [other.arn, f"{other.arn}/*"]}]}
    )
    key = inventory.deliver(world.server.cloud, seed.BUCKET, "reports")
    world.put("data/0/00.bin", b"another")
    changed = []

    def listen(event):
        if isinstance(event, Changed):
            changed.append(event.key)

    report = s3haul.ObjectList(location=f"s3://reports/{key}", form=s3haul.ListForm.INVENTORY)
    stats = await download(world, {"objects": report}, {"sse": "aws:kms"}, on_event=listen)
    assert (stats.done, stats.changed, changed) == (12, 1, ["data/0/00.bin"])
    assert tree(world.dest) == world.bodies()


async def test_conditions_and_limits_are_options(world):
    with pytest.raises(LimitReachedError):
        await download(world, None, {"conditions": Conditions(min_size=105), "max_transfer": 300})
    assert 0 < sum(map(len, tree(world.dest).values())) <= 300
    assert all(len(body) >= 105 for body in tree(world.dest).values())


async def test_a_moment_is_an_option(world):
    world.keep_versions()
    stats = await download(world, {"at": world.server.cloud.clock() - 10_000})
    assert (stats.selected, stats.exit_code) == (0, 0)


async def test_a_list_that_is_not_there_is_an_error(world):
    with pytest.raises(SourceError, match="Cannot read"):
        await download(world, {"objects": s3haul.ObjectList(location="/nowhere/list")})
