"""How many random examples the fuzz tests try: few in `make test`, many in `make fuzz`."""

import os

EXAMPLES = int(os.environ.get("S3HAUL_FUZZ", "300"))
# Each set of answers takes a connection or several.
SETS = EXAMPLES if EXAMPLES > 1000 else EXAMPLES // 3
