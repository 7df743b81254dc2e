"""Words of pictures in the reader's language; names of the project and the picture itself stay."""

import pytest

from vitok.report.page_charts import labels_chart, quality_chart
from vitok.report.page_charts_drift import shape_chart
from vitok.report.page_charts_releases import shares_chart
from vitok.web.language import catalogue
from vitok.web.pictures import WORDS, spoken

DAY = {"start": "2013-03-01T00:00:00Z", "end": "2013-03-02T00:00:00Z"}


@pytest.mark.parametrize("language", ["uk", "ru"])
def test_each_word_of_a_picture_is_in_the_catalogue(language):
    assert not [word for word in WORDS if catalogue(language).gettext(word) == word]


def test_kinds_and_versions_and_bins_are_said_in_the_language():
    said = catalogue("uk").gettext
    labels = spoken(labels_chart([{**DAY, "rows": 3, "labelled": 2}]), said)["layer"][0]
    assert labels["encoding"]["color"]["scale"]["domain"] == ["з міткою", "без мітки"]
    shape = spoken(shape_chart(["above", "1 to 2.5", "missing"], [0, 1, 0], [0, 1, 0]), said)
    assert [row["bin"] for row in shape["data"]["values"]] == ["пропуск", "1 – 2.5", "вище"]
    shares = spoken(
        shares_chart([{"time": DAY["start"], "share": 0.1}], DAY["end"], "version 3", "version 2"), said
    )
    assert shares["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["версія 3", "версія 2"]
    assert shares["layer"][0]["encoding"]["y"]["axis"]["values"] == [0, 0.25, 0.5, 0.75, 1]


def test_a_metric_named_like_nothing_else_stays_and_nothing_stays_nothing():
    points = [{**DAY, "value": 0.7, "low": 0.6, "high": 0.8}]
    found = {"metric": "roc_auc", "points": points, "limits": [], "accepted": None, "estimated": []}
    line = spoken(quality_chart(found), catalogue("ru").gettext)["layer"][-1]
    assert [tip["title"] for tip in line["encoding"]["tooltip"]] == [
        "от",
        "roc_auc",
        "нижняя граница",
        "верхняя граница",
    ]
    assert spoken(None, str.upper) is None
