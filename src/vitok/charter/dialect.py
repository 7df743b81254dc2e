"""The YAML that charters are written in."""

import re

import yaml


class Loader(yaml.SafeLoader):
    """Booleans and numbers of YAML 1.2; dates are texts until a key asks.

    So the key `on` is a word, `12:30` and `010` are texts, and `1e-3` is a number.
    """


class Dumper(yaml.SafeDumper):
    """Quotes each text that this dialect or YAML 1.1 would read as something else."""


_RESOLVERS = (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
)

Loader.yaml_implicit_resolvers = {
    letter: [
        (tag, pattern)
        for tag, pattern in resolvers
        if not tag.endswith((":bool", ":timestamp", ":int", ":float"))
    ]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _letters in _RESOLVERS:
    for _way in (Loader, Dumper):
        _way.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), list(_letters))
