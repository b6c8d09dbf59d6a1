"""The tables of policy.toml, as one typed model: what may be written, what it defaults to, what it means.

The JSON Schema for editors is generated from this model, and the loader validates with it, so the two cannot drift.
"""

from __future__ import annotations

from sluicegate.settings.model.approvals import Approvals, Terms
from sluicegate.settings.model.base import Slug, Table
from sluicegate.settings.model.console import Console
from sluicegate.settings.model.datasets import Dataset, Job
from sluicegate.settings.model.detection import Detection
from sluicegate.settings.model.dialects import Dialect, Route
from sluicegate.settings.model.gateway import Gateway
from sluicegate.settings.model.identity import Identity, TokenExchange
from sluicegate.settings.model.masks import Masking, MaskRule
from sluicegate.settings.model.notify import Notify
from sluicegate.settings.model.recording import Recording
from sluicegate.settings.model.rules import Budget, Rule
from sluicegate.settings.model.services import Canary, Credential, OnBehalf, Service

__all__ = [
    "Approvals",
    "Budget",
    "Canary",
    "Console",
    "Credential",
    "Dataset",
    "Detection",
    "Dialect",
    "Gateway",
    "Identity",
    "Job",
    "MaskRule",
    "Masking",
    "Notify",
    "OnBehalf",
    "Recording",
    "Route",
    "Rule",
    "Service",
    "Settings",
    "Table",
    "Terms",
    "TokenExchange",
]


class Settings(Table):
    """policy.toml as a whole."""

    gateway: Gateway = Gateway()
    identity: Identity
    dialects: dict[Slug, Dialect] = {}
    services: dict[Slug, Service] = {}
    datasets: dict[Slug, Dataset] = {}
    jobs: dict[Slug, Job] = {}
    rules: list[Rule] = []
    masks: list[MaskRule] = []
    masking: Masking = Masking()
    approvals: Approvals = Approvals()
    notify: dict[Slug, Notify] = {}
    detection: Detection = Detection()
    recording: Recording = Recording()
    console: Console = Console()
