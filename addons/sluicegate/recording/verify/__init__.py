"""Verification: what can be proved of a folder of recordings, by somebody who trusts nobody but a key.

Pure readers: nothing here writes, and everything that stands in the folder is taken for hostile.
"""

from __future__ import annotations

from sluicegate.recording.verify.folder import verify
from sluicegate.recording.verify.keys import folder_keys
from sluicegate.recording.verify.one import prove, verify_one
from sluicegate.recording.verify.report import Finding, Kind, Removal, Report

__all__ = ["Finding", "Kind", "Removal", "Report", "folder_keys", "prove", "verify", "verify_one"]
