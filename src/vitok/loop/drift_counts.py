"""Profiles of any span by the bins of one version, whoever answered its rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from vitok.errors import VitokError
from vitok.journal.profiles import ProfileStore
from vitok.loop.drift_spans import Span
from vitok.loop.looks import NOT_WATCHED, Looks, Version, watched_groups
from vitok.stats.bins import Bins
from vitok.stats.packed import unpack
from vitok.stats.profiles import Profile
from vitok.stats.rebin import rebinned_profile


@dataclass
class Counts:
    """Reads profiles as one version counts.

    Args:
        looks: Knows the versions.
        version: Whose bins count.
        part: A slice; empty for all rows.
        recounted: Other versions, with other bins, whose rows were met.
        lost: Versions whose bundle is gone, so that their rows are left out.
    """

    store: ProfileStore
    looks: Looks
    version: Version
    part: str
    recounted: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    @property
    def bins(self) -> Bins:
        """Of inputs and score."""
        return self.version.reference.bins

    def own(self, span: Span) -> Profile | None:
        """Rows that the version itself answered; None without any."""
        return self._read(span, self.version)

    def all(self, spans: Iterable[Span]) -> Profile | None:
        """Rows of some spans, whoever answered them; None without any."""
        found = []
        for span in spans:
            answered = {
                (each.version, each.digest) for each in watched_groups(self.store, span.start, span.end)
            }
            for number, digest in sorted(answered):
                try:
                    version = self.looks.version(number, digest)
                except VitokError:
                    self.lost.add(number)
                    continue
                profile = self._read(span, version)
                if profile is not None:
                    found.append(profile)
        return joined(found) if found else None

    def _read(self, span: Span, version: Version) -> Profile | None:
        packed = self.store.read(span.start, span.end, version.digest, part=self.part, without=NOT_WATCHED)
        if packed is None:
            return None
        if version.digest != self.version.digest and dict(version.reference.bins) != dict(self.bins):
            self.recounted.add(version.number)
        return rebinned_profile(unpack(packed, version.bins), version.bins, self.bins)


def joined(profiles: Sequence[Profile]) -> Profile:
    """The profile of the rows of all; a column counts where it was there."""
    names = dict.fromkeys(name for each in profiles for name in each.columns)
    columns = {}
    for name in names:
        parts = [Profile(0, {name: each.columns[name]}) for each in profiles if name in each.columns]
        columns[name] = reduce(Profile.merge, parts).columns[name]
    return Profile(sum(each.rows for each in profiles), columns)
