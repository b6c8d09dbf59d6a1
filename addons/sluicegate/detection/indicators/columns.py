"""More columns than the job needs: by the declared job first, by what the group receives second.

Looked at is what was really returned, in clear: how a question is written says little about what it brings.
"""

from __future__ import annotations

from sluicegate.detection.event import key
from sluicegate.detection.look import Look
from sluicegate.detection.surprise import bits, share

RARE = 0.05
ENOUGH = 12.0
NEW_SECONDS = 14 * 86_400.0
CLASSES = "\0classes"
"""Where classes are counted among the datasets."""
_SHOWN = 8
_DATASETS = 16
"""Datasets of a person of which it is remembered what was looked at."""


def look(look: Look) -> None:
    """Whether the received columns are those of the job, and of the group."""
    event = look.event
    if not event.clear or not event.taken or not event.rows:
        return
    dataset = event.dataset or event.service
    if look.job_columns is not None:
        beyond = sorted(set(event.clear) - look.job_columns)
        if beyond:
            look.say(
                "beyond-job",
                f"{event.job}",
                20.0 if any(name in look.weights for name in beyond) else 10.0,
                lambda: f"received {_list(beyond)} of {dataset}, which the job {event.job} does not name",
                lambda: {"job": str(event.job), "columns": _list(beyond), "rows": str(event.rows)},
                certain=True,
            )
    seen, classes_of = look.habit.seen, look.classes
    # What was looked at once says nothing again, but where what was ever seen has begun anew.
    known = look.habit.looked.get(dataset)
    begun = seen.begun
    if known is not None and known[0] == event.clear and known[1] is classes_of and known[2] == begun:
        return
    # Names without a class may be anything that somebody called a column: they are looked up, and not remembered.
    new = [name for name in event.clear if name in classes_of and seen.add(key("column", dataset, name))]
    if new:
        _unusual(look, dataset, [*new, *(name for name in event.clear if name not in look.weights)])
    for one in sorted({classes_of[name] for name in event.clear if name in classes_of}):
        if seen.add(key("class", one)) and look.habit.days and event.at - look.habit.first > NEW_SECONDS:
            met, of = look.group.columns.get(CLASSES, {}).get(one, 0), look.group.days.get(CLASSES, 0)
            look.say(
                "first-class",
                one,
                share(met, of),
                lambda one=one: f"received {one} data for the first time",  # type: ignore[misc]
                lambda one=one, met=met, of=of: {  # type: ignore[misc]
                    "class": one, "dataset": dataset, "days of the group with it": f"{met} of {of}",
                },
            )  # fmt: skip
    if len(look.habit.looked) < _DATASETS or dataset in look.habit.looked:
        look.habit.looked[dataset] = event.clear, classes_of, begun


def _unusual(look: Look, dataset: str, new: list[str]) -> None:
    days, known = look.group.days.get(dataset, 0), look.group.columns.get(dataset, {})
    rare = {name: (known.get(name, 0) + 1) / (days + 10) for name in new}
    rare = {name: chance for name, chance in rare.items() if chance < RARE}
    excess = sum(bits(chance) * (1.0 if name in look.weights else 0.25) for name, chance in rare.items())
    if excess >= ENOUGH and any(name in look.weights for name in rare):
        look.say(
            "unusual-columns",
            dataset,
            excess,
            lambda: f"received {_list(sorted(rare))} of {dataset}, which the group does not",
            lambda: {
                "columns": _list(sorted(rare)),
                "days of the group": str(days),
                "days with them": ", ".join(f"{name} {known.get(name, 0)}" for name in sorted(rare)[:_SHOWN]),
                "rows": str(look.event.rows),
            },
        )


def _list(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
