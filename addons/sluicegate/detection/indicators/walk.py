"""Chunk after chunk, in the order of their numbers: somebody takes a dataset, and does not look something up."""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.surprise import above_usual

LEAST = 16
"""Chunks in a row, at least."""


def look(look: Look) -> None:
    """Whether the longest walk of the day is longer than is usual."""
    habit = look.habit
    if habit.day.walk < LEAST or look.clock:
        return
    strays = habit.spreads["walk"].strays(habit.day.walk, look.group.spreads["walk"])
    dataset = look.event.dataset or look.event.service
    look.say(
        "walk",
        dataset,
        above_usual(strays),
        lambda: f"took {habit.day.walk} chunks of {dataset} in the order of their numbers",
        lambda: {"in a row": str(habit.day.walk), "usual distances above": f"{strays:.1f}"},
    )


def step(last: int, length: int, chunk: str) -> tuple[int, int]:
    """The number of a chunk, and how many chunks stand in a row with it; `last` is -1 before the first."""
    digits = ""
    for letter in reversed(chunk):
        if not ("0" <= letter <= "9"):
            if digits:
                break
            continue
        digits = letter + digits
    if not digits or len(digits) > 15:
        return -1, 0
    number = int(digits)
    if number == last:
        return number, length
    return number, length + 1 if last >= 0 and abs(number - last) == 1 else 1
