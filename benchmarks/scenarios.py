"""What is copied, as data: how many objects of which size. Makes no files and runs nothing.

Every scenario is a bucket of its own on the benchmark server, so that each client lists exactly it.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`objects` objects of `size` bytes each. `by` is what its table counts: objects or bytes."""

    name: str
    objects: int
    size: int
    by: str

    @property
    def bucket(self) -> str:
        return f"bench-{self.name}"

    @property
    def bytes(self) -> int:
        return self.objects * self.size

    def keys(self) -> list[str]:
        """In the order of a listing. Names that every client stores as they are, in 20 directories."""
        return sorted(f"{index % 20:02d}/{index:07d}.bin" for index in range(self.objects))


KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

SCENARIOS = (
    Scenario(name="small", objects=20_000, size=4 * KIB, by="objects"),
    Scenario(name="mid", objects=256, size=4 * MIB, by="bytes"),
    Scenario(name="large", objects=2, size=1 * GIB, by="bytes"),
)

_QUICK = {"small": (1_200, 4 * KIB), "mid": (8, 4 * MIB), "large": (2, 32 * MIB)}


def quick(scenario: Scenario) -> Scenario:
    """The same shape in a second or two: for trying the runner, not for figures. Still two listing pages."""
    objects, size = _QUICK[scenario.name]
    return replace(scenario, objects=objects, size=size)
