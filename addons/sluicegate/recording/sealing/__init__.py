"""Sealed bodies: unmasked originals that the gateway can write and cannot read back.

A body is encrypted with AES-256-GCM under a key of its own, which HKDF makes from a data key. Data keys are made for
each session, class and hour, and kept wrapped with age for the investigators alone. Deleting a wrapped key shreds every
body under it, and breaks no proof.
"""
