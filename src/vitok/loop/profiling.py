"""Making profiles of what was predicted: of each smallest window, version, role and slice, as rows arrive."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import polars as pl

from vitok.charter.model import Charter
from vitok.errors import UserMistake, VitokError
from vitok.journal.frames import decode_inputs
from vitok.journal.profiles import WHOLE, Part, ProfilesFault, ProfileStore, smallest_window
from vitok.journal.records import FAILED, as_text
from vitok.loop.journals import JournalReader
from vitok.loop.outcomes import JOURNAL
from vitok.loop.project import Project
from vitok.loop.reference import by_window, with_summaries
from vitok.model.bundle import REFERENCE, Manifest, load_manifest
from vitok.monitor.drift import SCORE
from vitok.stats import images
from vitok.stats.bins import Bins, CategoryBins, NumericBins
from vitok.stats.packed import pack
from vitok.stats.profiles import Profile, Reference
from vitok.stats.texts import summarised
from vitok.store.blobs import Blobs

_FILE = "profiles.sqlite"
_MOST_GROUPS = 20  # groups of a slice column that are profiled apart; the others are one
OTHERS = "(others)"
_REVISION = "revision"
# Names that no input has: a colon is no part of theirs.
MICROS, ACTION, DECISION = "vitok:micros", "vitok:action", "vitok:decision"
_ACTIONS = ("model", "rule", "default", "fallback", "hand_over", FAILED)
# From 10 microseconds to 100 seconds in steps of a tenth.
_MICROS = NumericBins(tuple((10 * 10 ** (np.arange(170) * 7 / 169)).tolist()), 1.0, 0.0)
_SERVICE: Bins = {MICROS: _MICROS, ACTION: CategoryBins(_ACTIONS, (), True, 0.0)}


def open_profiles(project: Project) -> ProfileStore:
    """The profiles of a project's journal.

    Another `monitor.slices`, or a window that the smallest ones do not divide, begins them anew.
    """
    folder = project.state / JOURNAL
    folder.mkdir(parents=True, exist_ok=True)
    smallest = smallest_window(project.charter.monitor.window)
    return ProfileStore(folder / _FILE, smallest, _about(project.charter))


@contextmanager
def open_profiler(project: Project) -> Iterator["Profiler"]:
    """A profiler over the project's own profiles, closed in the end."""
    store = open_profiles(project)
    try:
        yield Profiler(project.blobs, project.charter, store)
    finally:
        store.close()


def profiles_in_memory(charter: Charter) -> ProfileStore:
    """Profiles that end with the process, of windows of the charter's own length: for replay."""
    return ProfileStore(None, charter.monitor.window, _about(charter))


def _about(charter: Charter) -> dict[str, object]:
    return {"slices": list(charter.monitor.slices)}


class Profiler:
    """Adds predictions to profiles, each once.

    Args:
        blobs: Where bundles are: their references say how rows are counted.
    """

    def __init__(self, blobs: Blobs, charter: Charter, store: ProfileStore) -> None:
        self.store = store
        self._blobs, self._slices = blobs, list(charter.monitor.slices)
        self._known: dict[str, tuple[Manifest | None, Bins]] = {}

    def take(self, rows: pl.DataFrame) -> None:
        """Adds rows of the journal; those that were added before are passed over.

        Args:
            rows: All columns of the journal's predictions, whole up to the last record of each worker in it.
        """
        while True:
            before = self.store.counted()
            last = rows["worker"].replace_strict(before, default=-1, return_dtype=pl.Int64)
            fresh = rows.filter(rows["seq"] > last)
            if fresh.height == 0:
                return
            counted = dict(fresh.group_by("worker").agg(pl.col("seq").max()).iter_rows())
            if self.store.add(self._parts(fresh), counted, before):
                return

    def moved(self, rows: pl.DataFrame, before: str, after: str) -> None:
        """Adds rows that the mover has just put into the journal.

        Args:
            before, after: Revisions of the journal around that; if the first is the one that was counted up to, nobody
                has to look for further rows.
        """
        self.take(rows)
        if (self.store.noted(_REVISION) or str(None)) == before:
            self.store.note(_REVISION, after)

    def catch_up(self, journal: JournalReader) -> None:
        """Adds what the journal has and nobody has added yet."""
        revision = journal.revision()
        if self.store.noted(_REVISION) == revision:
            return
        for rows in journal.uncounted(self.store.counted()):
            self.take(rows)
        self.store.note(_REVISION, revision)

    def _parts(self, rows: pl.DataFrame) -> Iterator[Part]:
        role = pl.when(pl.col("action") == FAILED).then(pl.lit(FAILED)).otherwise("role")
        groups = rows.with_columns(role=role).partition_by("digest", "version", "role", as_dict=True)
        for (digest, version, role_of), group in groups.items():
            manifest, bins = self._version(digest)
            frame = _with_summaries(_columns(group, manifest), list(bins))
            for part, (some, times) in self._sliced(frame, group["time"], manifest):
                found = by_window(some, times, bins, self.store.smallest)
                for start, content in found.items():
                    yield Part(start, digest, version, role_of, part, pack(content, bins))

    def _sliced(
        self, frame: pl.DataFrame, times: pl.Series, manifest: Manifest | None
    ) -> Iterator[tuple[str, tuple[pl.DataFrame, pl.Series]]]:
        """The rows as a whole, and those of each slice."""
        yield WHOLE, (frame, times)
        fields = {} if manifest is None else {field.name: field for field in manifest.inputs}
        for column in self._slices:
            if column not in fields or fields[column].kind not in ("category", "boolean"):
                continue
            apart = [*fields[column].levels[:_MOST_GROUPS], "true", "false", "missing"]
            values = frame[column].cast(pl.String).fill_null("missing").alias("value")
            pooled = pl.when(pl.col("value").is_in(apart)).then("value").otherwise(pl.lit(OTHERS))
            values = values.to_frame().select(pooled).to_series()
            for value in values.unique().sort().to_list():
                inside = values == value
                yield f"{column}={value}", (frame.filter(inside), times.filter(inside))

    def _version(self, digest: str) -> tuple[Manifest | None, Bins]:
        """What a bundle's rows are counted by; of one that is gone only the service figures are."""
        if digest not in self._known:
            try:
                manifest = load_manifest(self._blobs, digest)
                self._known[digest] = (
                    manifest,
                    counted_by(reference_of_bundle(self._blobs, manifest), manifest),
                )
            except VitokError:
                return None, _SERVICE
        return self._known[digest]


def reference_of_bundle(blobs: Blobs, manifest: Manifest) -> Reference:
    """The reference of a bundle; one without any columns where it has none, so that only its service is watched."""
    if REFERENCE not in manifest.files:
        return Reference({}, Profile(0, {}))
    return Reference.from_json(json.loads(blobs.get(manifest.files[REFERENCE])))


def counted_by(reference: Reference, manifest: Manifest) -> Bins:
    """What rows of a version are counted by: inputs and score, decisions, and figures of the service."""
    bins = dict(reference.bins)
    if manifest.classes:
        bins[DECISION] = CategoryBins(tuple(map(as_text, manifest.classes)), (), True, 0.0)
    return {**bins, **_SERVICE}


def _with_summaries(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """With what profiles count of texts and images.

    Raises:
        ProfilesFault: the package that decodes images is missing here; the rows are counted once it is there.
    """
    try:
        return with_summaries(frame, summarised(columns), images.summarised(columns))
    except UserMistake as error:
        raise ProfilesFault("profiles", error.what, error.remedy) from error


def _columns(rows: pl.DataFrame, manifest: Manifest | None) -> pl.DataFrame:
    """What profiles count, as columns."""
    service = rows.select(
        pl.col("micros").cast(pl.Float64).alias(MICROS),
        pl.col("action").alias(ACTION),
        pl.col("decision").alias(DECISION),
    )
    if manifest is None:
        return service
    kinds = {field.name: field.kind for field in manifest.inputs if field.kind != "time"}
    best = pl.col("proba").list.max() if manifest.task == "multiclass" else pl.col("score")
    score = rows.select(best.alias(SCORE))
    return pl.concat([decode_inputs(rows, kinds), score, service], how="horizontal")
