"""A finding in the words of the Open Cybersecurity Schema Framework (OCSF 1.4, schema.ocsf.io).

What proves that data left (`taint`, `canary`, `beyond-job`) is a Data Security Finding (class 2006), all else a
Detection Finding (2004). `finding_info.uid` is the finding's id: who gets one twice knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluicegate import __version__
from sluicegate.detection.indicators import PROOF

VERSION = "1.4.0"
_SEVERITY = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_CONFIDENCE = {False: (2, "Medium"), True: (3, "High")}
_CREATE = 1


def event(finding: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a row of the table `findings`. Raises KeyError."""
    data = finding["indicator"] in PROOF
    class_uid = 2006 if data else 2004
    at = round(finding["at"] * 1000)
    confidence_id, confidence = _CONFIDENCE[bool(finding["certain"])]
    found: dict[str, Any] = {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": class_uid,
        "class_name": "Data Security Finding" if data else "Detection Finding",
        "type_uid": class_uid * 100 + _CREATE,
        "type_name": f"{'Data Security Finding' if data else 'Detection Finding'}: Create",
        "time": at,
        "severity_id": _SEVERITY[finding["severity"]],
        "severity": finding["severity"].title(),
        "confidence_id": confidence_id,
        "confidence": confidence,
        "status_id": 1,
        "status": "New",
        "message": finding["detail"],
        "risk_score": round(finding["risk"]),
        "finding_info": {
            "uid": finding["id"],
            "title": finding["indicator"],
            "desc": finding["detail"],
            "created_time": at,
            "types": [finding["indicator"]],
        },
        "actor": {"user": _user(finding)},
        "resources": [_about(finding)],
        "metadata": {
            "version": VERSION,
            "profiles": ["host"],
            "uid": finding["id"],
            "correlation_uid": finding["exchange"],
            "product": {"name": "Sluicegate", "vendor_name": "Sluicegate", "version": __version__},
        },
    }
    if data:
        # This class has no place of its own for evidence.
        found |= {"is_alert": True, "unmapped": {"evidence": dict(finding["evidence"])}}
    else:
        found["evidences"] = [{"data": dict(finding["evidence"]), "actor": {"user": _user(finding)}}]
    return found


def _about(finding: Mapping[str, Any]) -> dict[str, str]:
    """What it is about: the dataset, and of values that were sent elsewhere the one that they are from."""
    dataset = finding["dataset"]
    if finding["indicator"] == "taint":
        dataset = finding["evidence"].get("dataset") or dataset
    return {"name": dataset, "type": "dataset"} if dataset else {"name": finding["service"], "type": "service"}


def _user(finding: Mapping[str, Any]) -> dict[str, str]:
    issuer, _, subject = finding["person"].partition(" ")
    return {"uid": subject or issuer, "name": finding["name"], "domain": issuer if subject else ""}
