"""Who is asking: the credential of each request, verified against the organisation's OIDC provider."""

from sluicegate.identity.problems import problems

__all__ = ["problems"]
