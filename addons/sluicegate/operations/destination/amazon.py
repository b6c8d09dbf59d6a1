"""Amazon's spellings of buckets, access points and accounts, brought to one.

A bucket is `s3://BUCKET/KEY` however it is addressed: virtual-host and path style, regional, dual-stack, accelerate,
FIPS, website and VPC endpoints, ARNs. Bucket names are unique within a partition, so those of other partitions than
`aws` have a scheme of their own (`s3+aws-cn`). Access points are named within an account and a region:
`s3-accesspoint://ACCOUNT/REGION/NAME/KEY`. Everything else with an ARN is `aws://ACCOUNT/SERVICE/REGION/RESOURCE`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluicegate.operations.destination.place import Place, bucket, checked, joined

_REGION = r"[a-z]{2,5}(?:-[a-z]+)+-\d{1,2}"
_DOMAINS = {"amazonaws.com": "aws", "amazonaws.com.cn": "aws-cn", "amazonaws.eu": "aws-eusc"}
PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"})
ACCOUNT = re.compile(r"\d{12}")

_ENDPOINT = re.compile(
    rf"""(?:(?P<name>.+)\.)?(?:
        s3(?:-fips)?(?:\.dualstack)?(?:[.-](?P<region>{_REGION}))?
      | s3-external-1
      | s3-accelerate(?:\.dualstack)?
      | s3-website[.-](?P<site>{_REGION})
      | s3express(?:-fips)?-[a-z0-9-]+(?:\.dualstack)?\.(?P<zone>{_REGION})
      | bucket\.vpce-[a-z0-9-]+\.s3\.(?P<vpc>{_REGION})\.vpce
    )""",
    re.VERBOSE,
)
"""Endpoints of buckets. What stands before one is the bucket; otherwise the first segment of the path is."""
_ACCESS_POINT = re.compile(
    rf"(?P<name>[a-z0-9-]+)-(?P<account>\d{{12}})\."
    rf"(?P<service>s3-accesspoint|s3-object-lambda)(?:-fips)?(?:\.dualstack)?\.(?P<region>{_REGION})"
)
_MULTI_REGION = re.compile(r"(?P<alias>[a-z0-9]+)\.mrap\.accesspoint\.s3-global")
_ALIAS = re.compile(r".*(?:-s3alias|--ol-s3|--table-s3)")
"""Bucket-style names that Amazon gives to access points: their beginning is chosen by whoever made one."""


def partition_of(scheme: str) -> str | None:
    """The partition that a scheme of buckets belongs to; None where it is no such scheme."""
    if scheme == "s3":
        return "aws"
    family, plus, partition = scheme.partition("+")
    return partition if family == "s3" and plus and partition in PARTITIONS - {"aws"} else None


def of_bucket(name: str, key: Sequence[str], partition: str = "aws") -> Place:
    """The place of a bucket and the decoded segments of a key. Raises ValueError."""
    name = bucket(name)
    family = "s3-alias" if _ALIAS.fullmatch(name) else "s3"
    return Place(_within(family, partition), name, joined(key))


def from_host(host: str, path: list[str]) -> Place | None:
    """The place behind an address at one of Amazon's storage hosts; None where it is no such host."""
    for domain, partition in _DOMAINS.items():
        if host.endswith("." + domain):
            return _endpoint(host.removesuffix("." + domain), path, partition)
    return None


def _endpoint(front: str, path: list[str], partition: str) -> Place | None:
    point = _ACCESS_POINT.fullmatch(front)
    if point:
        scheme = _within(point["service"], _partition(point["region"], partition))
        return Place(scheme, point["account"], joined([point["region"], point["name"], *path]))
    everywhere = _MULTI_REGION.fullmatch(front)
    if everywhere:
        return Place(_within("s3-mrap", partition), everywhere["alias"], joined(path))
    found = _ENDPOINT.fullmatch(front)
    if not found:
        return None
    region = found["region"] or found["site"] or found["zone"] or found["vpc"]
    partition = _partition(region, partition)
    if found["name"] is not None:
        return of_bucket(found["name"], path, partition)
    return of_bucket(path[0], path[1:], partition) if path and path[0] else None


def from_arn(text: str) -> Place:
    """The place that an ARN names. Raises ValueError."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0].lower() != "arn" or parts[1] not in PARTITIONS:
        raise ValueError("the destination is no ARN")
    _, partition, service, region, account, resource = parts
    if "%" in resource:
        raise ValueError("the destination has an escape in an ARN, which some readers decode")
    path = checked(re.split("[/:]", resource) if service != "s3" else resource.split("/"))
    if service == "s3" and not account and not region:
        return of_bucket(path[0], path[1:], partition)
    if not ACCOUNT.fullmatch(account) or not re.fullmatch(rf"(?:{_REGION})?", region):
        raise ValueError("the destination is an ARN without an account")
    if service in ("s3", "s3-object-lambda"):
        return _access_point(service, partition, region, account, path)
    if not re.fullmatch(r"[a-z0-9-]+", service):
        raise ValueError("the destination is an ARN without a service")
    return Place(partition, account, joined([service, *([region] if region else []), *path]))


def _access_point(service: str, partition: str, region: str, account: str, path: list[str]) -> Place:
    if path[0].startswith("accesspoint:"):
        path = ["accesspoint", path[0].removeprefix("accesspoint:"), *path[1:]]
    if len(path) < 2 or path[0] != "accesspoint" or not path[1]:
        raise ValueError("the destination is an ARN of no bucket or access point")
    name, key = path[1], path[2:]
    if key[:1] == ["object"]:
        key = key[1:]
    if not region and name.endswith(".mrap"):
        return Place(_within("s3-mrap", partition), name.removesuffix(".mrap").lower(), joined(key))
    if not region or not re.fullmatch(r"[a-z0-9-]+", name):
        raise ValueError("the destination is an ARN of no bucket or access point")
    scheme = _within("s3-accesspoint" if service == "s3" else service, partition)
    return Place(scheme, account, joined([region, name, *key]))


def _within(family: str, partition: str) -> str:
    return family if partition == "aws" else f"{family}+{partition}"


def _partition(region: str | None, partition: str) -> str:
    if region is None or partition != "aws":
        return partition
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
