"""ClickHouse 18.16 from the packages of Debian 12, unpacked beside the other environments: nothing is installed.

Newer servers are not packaged anywhere that a test may install from.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.environments import FOLDER

VERSION = "18.16.1"
_CONFIG = """<yandex>
<logger><level>warning</level><console>1</console></logger>
<http_port>{port}</http_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709120</mark_cache_size>
</yandex>"""
_USERS = """<yandex><profiles><default></default></profiles><quotas><default></default></quotas><users><default>
<password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
</default></users></yandex>"""


def unpacked() -> Path:
    """The folder with its files. Skips the test where they cannot be had."""
    if any(shutil.which(command) is None for command in ("apt-get", "apt-cache", "dpkg", "dpkg-query")):
        pytest.skip("ClickHouse comes from Debian packages, and this is no Debian")
    folder = FOLDER / f"clickhouse-{VERSION}"
    if (folder / ".ready").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    policy = _said("apt-cache", "policy", "clickhouse-server")
    if VERSION not in policy:
        pytest.skip(f"there is no Debian package of ClickHouse {VERSION} to download")
    listed = _said(
        "apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
        "--no-replaces", "--no-enhances", "clickhouse-server",
    )  # fmt: skip
    wanted = {line for line in listed.splitlines() if line and not line[0].isspace() and not line.startswith("<")}
    missing = sorted(name for name in wanted if not _installed(name))
    done = subprocess.run(
        ["apt-get", "download", *missing], cwd=folder / "packages", capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        pytest.skip(f"the packages of ClickHouse cannot be downloaded: {done.stderr.strip()[-200:]}")
    for package in (folder / "packages").glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True, timeout=120)
    (folder / ".ready").touch()
    return folder


def configured(folder: Path, port: int) -> list[str]:
    """The command that serves on a port, with its data in a folder."""
    (folder / "config.xml").write_text(_CONFIG.format(port=port, folder=folder))
    (folder / "users.xml").write_text(_USERS)
    return [str(unpacked() / "usr/sbin/clickhouse-server"), f"--config-file={folder / 'config.xml'}"]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def _installed(name: str) -> bool:
    return "ok installed" in _said("dpkg-query", "-W", "-f=${Status}", name)
