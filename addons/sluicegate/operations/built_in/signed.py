"""What a request to AWS has of its own every time that it is sent, its signature first of all (Signature Version 4)."""

from __future__ import annotations

SIGNED = (
    *("header:x-amz-date", "header:amz-sdk-invocation-id", "header:amz-sdk-request", "header:x-amz-security-token"),
    *("query:X-Amz-Date", "query:X-Amz-Signature", "query:X-Amz-Security-Token"),  # of presigned addresses
)
"""For `Operation.once`. The signature covers only what an approval is bound to anyway; `authorization` never counts."""

TOKENS = ("$.ClientRequestToken", "$.ClientToken")
"""By which a service knows a request that it has carried out before. Never for S3, where a body is what is stored."""
