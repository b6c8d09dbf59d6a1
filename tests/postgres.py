"""A PostgreSQL of the tests' own: in a temporary folder, on a Unix socket, without durability, gone at the end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import URL


class Missing(Exception):
    """Why there is no PostgreSQL to test with."""


class Postgres:
    """One server; `new` makes an empty database in it."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise Missing("PostgreSQL is not installed (Debian: apt install postgresql)")
        self._bin = found[-1].parent
        # The server refuses to run as root; and the path of a socket may not be long.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None and self._user not in {entry.pw_name for entry in pwd.getpwall()}:
            raise Missing("there is no user postgres to run the server as")
        self.folder = Path(tempfile.mkdtemp(prefix="sgpg", dir="/tmp"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.folder.chmod(0o755)
        self._numbers = itertools.count()
        try:
            self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "gate", "--no-sync", "-E", "UTF8")
            options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=100"
            self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start")
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def new(self, like: URL | None = None) -> URL:
        """The address of a database that nobody has used: an empty one, or a copy of one that nobody is using."""
        name = f"test{next(self._numbers)}"
        template = ["-T", str(like.database)] if like else []
        self._run("createdb", "-h", str(self.folder), "-U", "gate", *template, name)
        return URL.create("postgresql+psycopg", "gate", database=name, query={"host": str(self.folder)})

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )
