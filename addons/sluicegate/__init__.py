"""Sluicegate: an identity-aware gate in the data path, as a bundle of mitmproxy addons."""

__version__ = "0.1.0"
