"""Every error that Vitok raises on purpose.

```
VitokError
├── UserMistake          exit 2   something the user wrote, gave, or asked for
│   ├── CharterMistake            vitok.yaml or an expression in it
│   ├── DataMistake               a table, a column, a row
│   ├── RequestMistake            a prediction or an outcome that was sent
│   ├── NotFound                  a version, project, or file that does not exist
│   └── Busy                      somebody else holds what is needed
├── Refused              exit 3   a verdict, gate, or approval says no
└── Fault                exit 1   our own: damaged state, a promise that did not hold
```

Each message names the place, what is wrong there (with the value), and the remedy. Exit codes and HTTP
statuses are mapped at the edges, never here.
"""

import difflib
from collections.abc import Iterable

_SHOWN = 200


def shortened(value: object) -> str:
    """A value as messages show it: on one line, its middle left out where it is long.

    >>> shortened("a" * 1000)[:8], len(shortened("a" * 1000)) < 210
    ("'aaaaaaa", True)
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 40]} ... {text[-35:]}"


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """The question after the known word nearest to an unknown one, with a space behind it; empty if none is near.

    >>> did_you_mean("roc_acu", ["recall", "roc_auc"])
    "Did you mean 'roc_auc'? "
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"Did you mean {near[0]!r}? " if near else ""


class VitokError(Exception):
    """An error with a place, a fact and a remedy.

    Args:
        place: Where it is, as the user knows it: a file and line, a key, a column, an address.
        what: What is wrong there, with the offending value.
        remedy: What to do about it, as an instruction.
    """

    def __init__(self, place: str, what: str, remedy: str) -> None:
        self.place = place
        self.what = what
        self.remedy = remedy.strip()
        end = "" if what.endswith("?") else "."
        super().__init__(f"{place}: {what}{end} {self.remedy}".rstrip())


class UserMistake(VitokError):
    """Something that the user can put right."""


class CharterMistake(UserMistake):
    """The charter, or an expression in it, does not say what it must."""


class DataMistake(UserMistake):
    """A table, a column or a row is not what the charter needs."""


class RequestMistake(UserMistake):
    """A request to the data plane that cannot be answered as it is."""


class NotFound(UserMistake):
    """What was asked for does not exist."""


class Busy(UserMistake):
    """Somebody else holds what this work needs."""


class Refused(VitokError):
    """A verdict, a gate or an approval says no."""


class Fault(VitokError):
    """A promise of ours did not hold: damaged state, a digest that differs."""
