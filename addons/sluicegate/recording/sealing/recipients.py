"""Recipients: the investigators' public keys, to whom data keys are wrapped (age, X25519). The gateway has no other."""

from __future__ import annotations

from collections.abc import Sequence

import pyrage

from sluicegate.errors import Fault
from sluicegate.recording.sealing.body import SealError


class Recipients:
    """The holders of keys, at least two of them, so that no single one can lose the evidence."""

    def __init__(self, keys: Sequence[str]) -> None:
        """From `age1...` texts. Raises Fault."""
        self.names = tuple(keys)
        self._keys = []
        for key in keys:
            try:
                self._keys.append(pyrage.x25519.Recipient.from_str(key))
            except pyrage.RecipientError:
                raise Fault(
                    f"{key} under [recording].recipients is no age recipient.",
                    hint="Make keys with: sluicegate recording keys.",
                ) from None

    def wrap(self, secret: bytes) -> bytes:
        """The secret as an age file that each of the recipients can open."""
        wrapped: bytes = pyrage.encrypt(secret, self._keys)
        return wrapped

    def wrap_text(self, secret: bytes) -> str:
        """The same as text (age's armour)."""
        wrapped: bytes = pyrage.encrypt(secret, self._keys, armored=True)
        return wrapped.decode()


def new_identity() -> tuple[str, str]:
    """A new pair of keys of an investigator: (what is kept secret, what goes into the policy)."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def unwrap(wrapped: bytes, identities: Sequence[str]) -> bytes:
    """The secret in an age file, with any of the identities (`AGE-SECRET-KEY-1...`). Raises SealError."""
    try:
        keys = [pyrage.x25519.Identity.from_str(text) for text in identities]
        secret: bytes = pyrage.decrypt(wrapped, keys)
        return secret
    except pyrage.IdentityError:
        raise SealError("that is no age identity (AGE-SECRET-KEY-1...)") from None
    except pyrage.DecryptError:
        raise SealError("none of these keys opens it") from None
