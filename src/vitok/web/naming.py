"""Names that stand in addresses, as the use cases take them."""

from vitok.errors import NotFound
from vitok.web.place import Values

_LONGEST = 9  # digits: what every database holds


def number_of(values: Values, what: str, name: str = "number") -> int:
    """The number that stands in an address.

    Args:
        what: Of what, for people.
        name: Of the value.

    Raises:
        NotFound: it is no number that such a thing could have.

    >>> number_of({"number": "12"}, "incident")
    12
    """
    text = str(values[name])
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST):
        raise NotFound(f"{what} {text[:50]!r}", "does not exist", "Choose one from the list.")
    return int(text)
