from datetime import UTC, datetime

import polars as pl

from vitok.train.columns import choose_features


def test_features_are_chosen_by_type_and_content():
    frame = pl.DataFrame(
        {
            "number": range(100),
            "boolean": [True, False] * 50,
            "category": ["a", "b"] * 50,
            "gappy constant": [1.0, None] * 50,
            "constant": [1] * 100,
            "empty": pl.Series([None] * 100, dtype=pl.String),
            "text": [f"words {row}" for row in range(100)],
            "time": [datetime(2020, 1, 1, tzinfo=UTC)] * 100,
        }
    )
    found = choose_features(frame)
    assert found.kinds == {
        "number": "number",
        "boolean": "boolean",
        "category": "category",
        "gappy constant": "number",
    }
    assert found.left_out.keys() == {"constant", "empty", "text", "time"}
    assert "100 distinct texts" in found.left_out["text"]
