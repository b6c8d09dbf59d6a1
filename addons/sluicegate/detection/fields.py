"""What the fields of a message say of its body."""

from __future__ import annotations


def said(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[str, str]:
    """Content-Encoding and Content-Type, all lines joined, in one pass: each look-up by name would be one."""
    coding, media = [], []
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-type":
            media.append(value)
        elif lower == b"content-encoding":
            coding.append(value)
    return b", ".join(coding).decode("latin-1"), b", ".join(media).decode("latin-1")
