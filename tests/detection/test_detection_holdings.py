"""What is handed over of a response that passes: what its masks have met is asked where it passes, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

from mitmproxy import http
from mitmproxy.test import tflow, tutils

from sluicegate.detection.holdings import HoldingsAddon
from sluicegate.exchange import Exchange, Exposure, Operation, Principal


class Stream:
    """One whose masks are counted on another thread: asked at any other time, the counts may be half made."""

    passing = False

    def __init__(self):
        self.samples = []

    @property
    def exposure(self):
        assert self.passing
        return Exposure({"ssn": "masked", "id": "clear"}, 1)

    def pass_on(self, piece):
        self.passing = True
        for sample in self.samples:
            sample(piece)
        self.passing = False


class Taints:
    """Keeps what it is handed."""

    full = False

    def __init__(self):
        self.zones = SimpleNamespace(named=lambda datasets: "customers", columns=lambda dataset: frozenset())
        self.handed = []

    def pass_by(self, person, handed, *, lined):
        def take(piece):
            self.made = lambda: self.handed.append(handed(piece, b"", True))

        return SimpleNamespace(take=take, close=lambda: None)

    def let_go(self, person, sample):
        pass


def test_the_masked_columns_of_a_piece_are_those_of_when_it_passed():
    taints, exchange = Taints(), Exchange("x", 0.0)
    exchange.principal, exchange.service = Principal("ada", "https://idp.test"), "chunks"
    exchange.operation, exchange.stream = Operation("chunks", "read", dataset="customers", declared=True), Stream()
    flow = tflow.tflow(resp=tutils.tresp(headers=http.Headers(content_type="application/json")))
    HoldingsAddon(SimpleNamespace(mode="enforce", taints=taints)).response_begins(flow, exchange)
    exchange.stream.pass_on(b'{"id":1}')
    taints.made()  # later, on the event loop
    assert [one.masked for one in taints.handed] == [("ssn",)]
