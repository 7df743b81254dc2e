"""The bundle: one immutable, content-addressed package of a model and all that a prediction needs.

A bundle is a manifest (JSON) that names the digest of each of its files; the bundle's own digest is the
manifest's. Whoever holds the digest can verify every byte that is executed.
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vitok.errors import Fault
from vitok.kernel.digests import canonical_json
from vitok.stats.outliers import Outliers
from vitok.store.blobs import Blobs

FORMAT = 1
MODEL, FEATURES, REFERENCE, INTERVALS = "model.onnx", "features.py", "reference.json", "intervals.json"
USUAL = "usual.json"  # how much windows of the reference differ from each other
OUTLIERS = "outliers.json"  # what tells rows that are unlike those of training
FORETELLING = "foretelling.json"  # what estimates quality before labels come


class Field(msgspec.Struct, frozen=True):
    """One input of the model, as a caller sends it.

    Args:
        name: Column name.
        kind: `number`, `category`, `boolean` or `time` (an instant, ISO 8601 in UTC, used by the feature function).
        nullable: Whether training rows had it missing; otherwise a request must give it.
        integer: Whether all training values were whole numbers (documentation only).
        levels: The most frequent training values of a category, at most 50 (documentation only).
        example: A value of a training row.
    """

    name: str
    kind: str
    nullable: bool
    integer: bool = False
    levels: list[str] = []
    example: Any = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of itself.

    Args:
        inputs: Fields that a request gives; the feature function, if any, sees these.
        features: Fields that the ONNX graph takes (inputs, less those used up, plus what the function adds); only
            `number`, `boolean` (as float32 0/1) and `category` (string, "" for missing).
        feature_function: Name of the function in `features.py`, or None.
        output: Name of the graph's output: probabilities of shape (n, classes), or values of shape (n, 1).
        classes: The target's values in the order of the probabilities; empty for regression.
        positive: Index into classes of the positive class (binary), else None.
        threshold: Score from which a row is flagged (binary), else None.
        files: Digest of each file by its name.
    """

    format: int
    project: str
    task: str
    target: str
    id: str | None
    entity: str | None
    time: str | None
    algorithm: str
    parameters: dict[str, Any]
    inputs: list[Field]
    features: list[Field]
    feature_function: str | None
    output: str
    classes: list[str | int | bool]
    positive: int | None
    threshold: float | None
    files: dict[str, str]
    metrics: dict[str, float]
    parity: float
    seed: int
    charter: str
    data: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, str]
    created: str


def store_bundle(blobs: Blobs, manifest: Manifest, files: dict[str, bytes]) -> str:
    """Stores files and manifest; returns the bundle's digest.

    Args:
        manifest: Its `files` is replaced by the digests of `files`.
    """
    digests = {name: blobs.put(content) for name, content in sorted(files.items())}
    complete = msgspec.structs.replace(manifest, files=digests)
    return blobs.put(canonical_json(msgspec.to_builtins(complete)))


def load_manifest(blobs: Blobs, digest: str) -> Manifest:
    """Reads and verifies a bundle's manifest.

    Raises:
        NotFound: no such bundle.
        Fault: it is damaged or of another format.
    """
    try:
        manifest = msgspec.json.decode(blobs.get(digest), type=Manifest)
    except msgspec.DecodeError as error:
        raise Fault(
            f"bundle {digest[:12]}", f"the manifest cannot be read: {error}", "Register the version again."
        ) from error
    if manifest.format != FORMAT:
        raise Fault(
            f"bundle {digest[:12]}",
            f"has format {manifest.format}, this Vitok reads {FORMAT}",
            "Use the Vitok that wrote it.",
        )
    return manifest


def load_outliers(manifest: Manifest, blobs: Blobs) -> Outliers | None:
    """What tells rows that are unlike those of training; None if the bundle does not have it."""
    digest = manifest.files.get(OUTLIERS)
    return None if digest is None else Outliers.from_json(msgspec.json.decode(blobs.get(digest)))


def numeric_ranges(
    manifest: Manifest, blobs: Blobs
) -> tuple[tuple[str, ...], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The numeric inputs with their least and greatest value in training, from the bundle's reference profile.

    Returns:
        Names, and two arrays of shape (k,); nothing if the bundle has no reference.
    """
    digest = manifest.files.get(REFERENCE)
    known = {} if digest is None else msgspec.json.decode(blobs.get(digest))["profile"]["columns"]
    numbers = [field.name for field in manifest.inputs if field.kind == "number"]
    names = tuple(name for name in numbers if known.get(name, {}).get("finite"))
    low, high = ([known[name][end] for name in names] for end in ("least", "greatest"))
    return names, np.array(low, dtype=np.float32), np.array(high, dtype=np.float32)
