"""[datasets.*] and [jobs.*]: what there is, and what a piece of work needs of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluicegate.settings.model.base import Slug, Table, Text, Times


class Dataset(Table):
    """[datasets.*]: a dataset of a service, and the class of its sensitive columns."""

    service: Slug
    """The service that holds it."""
    name: Text | None = None
    """Its name on the wire, where that is not the name of the table."""
    columns: dict[Text, Slug] = {}
    """Column name to class, such as `ssn = "restricted"`. Columns without an entry are unclassified."""
    all_columns: list[Text] | None = None
    """Every column, in the service's order. With it, statements such as `SELECT *` are read exactly."""


class Job(Table):
    """[jobs.*]: a declared purpose. A request within a job may touch only what the job names.

    A request is within a job when it says so in the header `Sluicegate-Job`, or when whoever asks is bound to it. What
    it asks for beyond the job is denied whatever the rules say; what is inside still needs a rule that allows it.
    """

    dataset: Text
    """The one dataset that it works on: a table of [datasets.*]."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """The columns that it needs, by name or class. Left out: all of them."""
    chunks: Annotated[list[Text], Field(min_length=1)] | None = None
    """The chunks that it needs: names, globs, or numbers from and to, such as `0..99`. Left out: all of them."""
    who: Annotated[list[Text], Field(min_length=1)]
    """Who may work on it: `group:NAME`, `person:SUBJECT`, `machine:SUBJECT`, `kind:person` or `kind:machine`."""
    bound: list[Text] = []
    """Those of them whose every request is within it, said or not. Written like `who`."""
    hours: Times | None = None
    """When it runs, such as `01:00-05:00 Europe/Berlin`. Left out: at any time."""
