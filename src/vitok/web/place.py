"""A place of the pages: what it shows and what can be done there, once for browsers and once for programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vitok.govern.roles import Act
from vitok.loop.project import Project

Values = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """A value that an address or a form takes.

    Args:
        kind: `str`, `int`, `float` or `bool` (a box that is ticked).
        choices: What it may be; empty for anything.
        needed: Whether nothing goes without it.
        help: What it is, for the description of the API.
    """

    kind: type = str
    choices: tuple[str, ...] = ()
    needed: bool = False
    help: str = ""


@dataclass(frozen=True)
class Place:
    """Something to look at: a page at `path`, and the object that it shows at `/api` and that path.

    Args:
        path: May hold `{name}`: what stands there is given to `read` among the values.
        template: The page; it gets the object as `found`, the values as `asked`.
        read: The use case; of the project and the values that the address has, beside which `acts` holds what the
            reader may do.
        help: One sentence: what the object is.
        act: What the reader must be allowed to do.
        asks: Values that the address may have after `?`.
        charts: Vega-Lite specifications of the page's pictures, made of the object.
    """

    path: str
    template: str
    read: Callable[[Project, Values], Values]
    help: str
    act: Act = "read"
    asks: Mapping[str, Ask] = field(default_factory=dict)
    charts: Mapping[str, Callable[[Values], Values | None]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        """Where programs get the object."""
        return _api(self.path)


@dataclass(frozen=True)
class Deed:
    """Something to do: a form is sent to `path`, or a JSON object to `/api` and that path.

    Args:
        path: May hold `{name}`.
        do: The use case; of the project, who does it, and the values of address and form. What it returns is the
            answer of the API.
        help: One sentence: what it does.
        act: What the doer must be allowed to do.
        asks: Fields of the form.
        then: Where the browser goes when it is done, with the values in place of `{name}`.
        said: What is said there, a text of the catalogue.
        status: Of HTTP, for programs, when it is done.
        template: A page that shows what was done, in the place of going on to `then`: for what is told only once.
    """

    path: str
    do: Callable[[Project, str, Values], Values]
    help: str
    act: Act
    then: str
    said: str
    asks: Mapping[str, Ask] = field(default_factory=dict)
    status: int = 200
    template: str = ""

    @property
    def api(self) -> str:
        """Where programs do it."""
        return _api(self.path)


def _api(path: str) -> str:
    return "/api/overview" if path == "/" else f"/api{path}"
