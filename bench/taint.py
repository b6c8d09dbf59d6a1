"""Value taint, measured: how much of what was received is recognised in each wrapping, and how often by accident.

python -m bench.taint [--package FOLDER]

The wrappings are made by CyberChef, not by code of ours. It is installed in .interop/cyberchef where it is not there
yet: the newest that runs on Node 20, with what it needs and does not name. Scripts of packages are not run.
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
from sluicegate.detection.taint.tables import Body

KEY = b"b" * 32
TRIALS = 20
ROWS = 5
ROOT = Path(__file__).parent.parent
PACKAGES = ("cyberchef@10.24.0", "terser@5.51.4", "yaml@2.9.1", "js-yaml@4.3.2")


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


def ready(package: Path) -> bool:
    """Whether CyberChef is there, once it was tried to be installed."""
    if not (package / "node_modules" / "cyberchef").is_dir() and shutil.which("npm") is not None:
        package.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--ignore-scripts", "--silent", "--no-audit", "--prefix", str(package)]
        subprocess.run([*command, *PACKAGES], check=False)
    return (package / "node_modules" / "cyberchef").is_dir()


def main() -> int:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--package", type=Path, default=ROOT / ".interop" / "cyberchef")
    given = options.parse_args()
    mine, others = Faker(), Faker()
    mine.seed_instance(1)
    others.seed_instance(2)
    table = rows(mine, 2000)
    packed = cells.read(Body(json.dumps(table).encode(), "", "application/json"), (), "customers", KEY)
    known = list(cells.unpack(packed or b""))
    lookup, begin = index(known), firsts(known)

    def hits(data: bytes) -> int:
        return count(search((data,), "", begin, KEY).values, lookup).rows

    accidents = [hits(json.dumps(rows(others, 50)).encode()) for _ in range(200)]
    one, proof = sum(found > 0 for found in accidents), sum(found > 2 for found in accidents)
    print(f"200 pages of 50 foreign customers: {proof} proofs, {one} with a row by accident")
    files = [*(ROOT / "addons").rglob("*.py"), *(ROOT / "docs").glob("*.md")]
    strange = sum(hits(path.read_bytes()) > 0 for path in files)
    print(f"{len(files)} files that have nothing to do with it: {strange} with a row")
    if not ready(given.package):
        print(f"CyberChef is not in {given.package}: npm install {' '.join(PACKAGES)}", file=sys.stderr)
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
