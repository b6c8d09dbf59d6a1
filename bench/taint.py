"""Value taint, measured: how much of what was received is recognised in each wrapping, and how often by accident.

python -m bench.taint [--package FOLDER]

The wrappings are made by CyberChef, not by code of ours: `npm install cyberchef@11 --ignore-scripts` in
.interop/cyberchef.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from faker import Faker

from sluicegate.detection.taint import cells
from sluicegate.detection.taint.judge import count, index
from sluicegate.detection.taint.searching import firsts, search

KEY = b"b" * 32
TRIALS = 20
ROWS = 5
ROOT = Path(__file__).parent.parent


def rows(fake: Faker, count_of: int) -> list[dict[str, object]]:
    """Made-up customers."""
    return [
        {
            "id": number, "name": fake.name(), "email": fake.email(), "ssn": fake.ssn(), "phone": fake.phone_number(),
            "iban": fake.iban(), "city": fake.city(), "birthday": str(fake.date_of_birth()),
        }
        for number in range(count_of)
    ]  # fmt: skip


def wrapped(texts: list[str], package: Path) -> dict[str, list[str | None]]:
    """What CyberChef makes of the texts. Raises CalledProcessError."""
    script = package / "taint.mjs"
    shutil.copyfile(Path(__file__).with_name("taint.mjs"), script)
    done = subprocess.run(
        ["node", script.name], input=json.dumps(texts), capture_output=True, text=True, cwd=package, check=True
    )
    found: dict[str, list[str | None]] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--package", type=Path, default=ROOT / ".interop" / "cyberchef")
    given = options.parse_args()
    mine, others = Faker(), Faker()
    mine.seed_instance(1)
    others.seed_instance(2)
    table = rows(mine, 2000)
    packed = cells.read(json.dumps(table).encode(), "", "application/json", list(table[0]), "customers", KEY)
    known = list(cells.unpack(packed))
    lookup, begin = index(known), firsts(known)

    def hits(data: bytes) -> int:
        return count(search((data,), "", begin, KEY).values, lookup).rows

    accidents = [hits(json.dumps(rows(others, 50)).encode()) for _ in range(200)]
    one, proof = sum(found > 0 for found in accidents), sum(found > 2 for found in accidents)
    print(f"200 pages of 50 foreign customers: {proof} proofs, {one} with a row by accident")
    files = [*(ROOT / "addons").rglob("*.py"), *(ROOT / "docs").glob("*.md")]
    strange = sum(hits(path.read_bytes()) > 0 for path in files)
    print(f"{len(files)} files that have nothing to do with it: {strange} with a row")
    if not (given.package / "node_modules" / "cyberchef").is_dir():
        print(f"CyberChef is not in {given.package}: npm install cyberchef@11 --ignore-scripts", file=sys.stderr)
        return 2
    texts = []
    for trial in range(TRIALS):
        some = table[trial * 50 : trial * 50 + ROWS]
        texts.append("\n".join(f"{row['name']};{row['email']};{row['phone']}" for row in some))
    made = wrapped(texts, given.package)
    print(f"{ROWS} rows of 3 columns, {TRIALS} trials each: proof (3 rows with 2 columns), evidence (1 row)")
    for name, results in made.items():
        before = time.thread_time()
        found = [hits(base64.b64decode(result)) for result in results if result is not None]
        spent = (time.thread_time() - before) / max(1, len(found)) * 1000
        if found:
            proofs, rest = sum(f > 2 for f in found) / len(found), sum(f > 0 for f in found) / len(found)
            print(f"  {name:22} {proofs:.2f} {rest:.2f} {spent:6.1f} ms each")
        else:
            print(f"  {name:22} not made")
    return 0


if __name__ == "__main__":
    sys.exit(main())
