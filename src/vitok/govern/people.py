"""Who is at this machine."""

import getpass


def local_user() -> str:
    """The name of who is logged in to the operating system; `unknown` where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
