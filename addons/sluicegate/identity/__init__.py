"""Who is asking: the credential of each request, verified against the organisation's OIDC provider."""

from sluicegate.identity.problems import problems
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.verifier import Verifier

__all__ = ["Recognizer", "Verifier", "problems"]
