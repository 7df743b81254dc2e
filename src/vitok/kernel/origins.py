"""Whether a browser sends a request for the page of another site."""


def comes_from_elsewhere(site: str | None, origin: str | None, host: str) -> bool:
    """Whether a request was made by another site's page; programs that are no browsers name neither.

    Args:
        site: The header `Sec-Fetch-Site`; a browser sets it, and no page can change it.
        origin: The header `Origin`.
        host: The header `Host`.

    >>> comes_from_elsewhere(None, "http://a.example", "a.example"), comes_from_elsewhere(None, "null", "a.example")
    (False, True)
    """
    differs = origin is not None and origin.rpartition("//")[2].lower() != host.lower()
    return site in ("cross-site", "same-site") or (differs and site != "same-origin")
