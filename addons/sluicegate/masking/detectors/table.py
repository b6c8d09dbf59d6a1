"""The detectors by name."""

from __future__ import annotations

from sluicegate.mask_method import Detector
from sluicegate.masking.detectors.national import national_ids
from sluicegate.masking.detectors.payment import cards, ibans
from sluicegate.masking.detectors.people import emails, phones
from sluicegate.masking.detectors.secrets import private_keys, secrets, tokens
from sluicegate.masking.detectors.spans import Finder

FINDERS: dict[Detector, Finder] = {
    "email": emails,
    "phone": phones,
    "card": cards,
    "iban": ibans,
    "national-id": national_ids,
    "secret": secrets,
    "jwt": tokens,
    "private-key": private_keys,
}
