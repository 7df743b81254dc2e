"""Images among the inputs: watched from training to the alarm, and refused with words where they are none."""

import base64
import io
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.data.snapshot import Snapshot
from vitok.errors import DataMistake, UserMistake
from vitok.journal.profiles import ProfilesFault
from vitok.loop import prepare
from vitok.loop.elsewhere import watch_elsewhere
from vitok.loop.logged import Log
from vitok.loop.profiling import _with_summaries
from vitok.loop.reference import profile_files
from vitok.stats.images import EXAMPLE

START, DAYS, ROWS = datetime(2026, 1, 1, tzinfo=UTC), 16, 60
DIGITS = load_digits()


def coded(place, factor=1.0):
    """A real hand-written digit as a PNG file in base64."""
    content = io.BytesIO()
    pixels = (DIGITS.images[place % len(DIGITS.images)] * factor * 255 / 16).astype(np.uint8)
    Image.fromarray(pixels).resize((16, 16)).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def log(broken=0.0, factor=1.0):
    """A log of images; from day 12 on a share of them arrive broken, or all are darker."""
    rng, count = np.random.default_rng(1), DAYS * ROWS
    day = np.arange(count) // ROWS
    late = day >= 12
    image = [coded(place, factor if late[place] else 1.0) for place in range(count)]
    cut = late & (rng.random(count) < broken)
    score = rng.random(count)
    return pl.DataFrame(
        {
            "id": np.arange(count),
            "time": [START + timedelta(minutes=24 * number) for number in range(count)],
            "photo": [text[:60] if is_cut else text for text, is_cut in zip(image, cut, strict=True)],
            "score": score,
            "label": rng.random(count) < score,
        }
    )


WATCHED = Log(reference=START + timedelta(days=8))


def test_a_quiet_stream_of_images_raises_nothing():
    found = watch_elsewhere(log(), None, WATCHED)
    assert found["alerts"] == []
    assert found["reference"]["inputs"] == ["photo"]
    assert len(found["windows"]) == DAYS - 8


@pytest.mark.parametrize(
    ("change", "named"), [({"broken": 0.5}, "photo:decoded"), ({"factor": 0.4}, "photo:brightness")]
)
def test_broken_files_and_dim_light_are_alarms_that_name_what_moved(change, named):
    alerts = watch_elsewhere(log(**change), None, WATCHED)["alerts"]
    (alert,) = (each for each in alerts if each["kind"] == "drift")
    assert named in alert["what"]
    assert alert["since"] >= "2026-01-13"


def test_the_reference_counts_figures_and_no_levels_of_images():
    rows = log().head(300)
    fields = prepare.describe_inputs(rows.select("photo"))
    assert (fields[0].kind, fields[0].levels, fields[0].example) == ("category", [], EXAMPLE)
    content = profile_files((rows, None), (rows.select("score"), None), fields, timedelta(days=1))
    text = content["reference.json"].decode()
    assert '"photo:sharpness"' in text
    assert '"photo:decoded"' in text
    assert rows["photo"][0] not in text


def project_of(images, **columns):
    charter = load_charter(
        CHARTER.replace("flights.csv}}", f"flights.csv}}, images: {images}}}") + "features: features.py:add\n"
    ).charter
    frame = pl.DataFrame({"late": [True, False] * 50, "light": range(100), **columns})
    snapshot = Snapshot(
        frame=frame, start=None, end=None, version=None, digest="d", left_out={}, lost_cells={}
    )

    def add(rows):
        return rows.with_columns(size=pl.col(next(iter(columns))).str.len_chars().cast(pl.Float32))

    return prepare.prepare_snapshot(snapshot, charter, ("", "add", add))


def test_declared_images_must_be_there_and_must_be_images():
    photos = [coded(place) for place in range(100)]
    prepared = project_of("[photo]", photo=photos)
    assert [field.name for field in prepared.inputs] == ["light", "photo"]
    with pytest.raises(DataMistake, match="there is no input 'foto'"):
        project_of("[foto]", photo=photos)
    with pytest.raises(UserMistake, match=r"data.images: column note: holds no images, but such as 'note 0'"):
        project_of("[note]", note=[f"note {number}" for number in range(100)])


def test_where_the_package_is_missing_watching_waits_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ProfilesFault, match=r"pip install 'vitok\[images\]'"):
        _with_summaries(pl.DataFrame({"photo": [EXAMPLE]}), ["photo:decoded", "photo:width"])
    assert _with_summaries(pl.DataFrame({"x": [1.0]}), ["x"]).columns == ["x"]
