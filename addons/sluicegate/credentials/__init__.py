"""The services' own secrets: kept out of the policy file and out of people's hands, put in after the verdict."""

from sluicegate.credentials.problems import problems

__all__ = ["problems"]
