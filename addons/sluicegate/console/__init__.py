"""The approvers' side: a JSON API in a process of its own, where every call is made by a signed-in person."""
