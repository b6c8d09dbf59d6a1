"""Progress that nobody sees."""


class Quiet:
    """Is told, and says nothing."""

    def start(self, what: str, total: int) -> None:
        self.what = what

    def step(self, count: int) -> None:
        self.steps = count

    def stop(self) -> None:
        self.done = True


QUIET = Quiet()
