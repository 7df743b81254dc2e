import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import FLIGHT, manifest
from vitok.errors import RequestMistake
from vitok.model.bundle import Field
from vitok.model.schema import FLOAT32_MAX, RequestSchema, outcome_value

SCHEMA = RequestSchema(manifest())


def decode(*rows):
    return SCHEMA.decode(json.dumps({"rows": rows}).encode())


def refusal(*rows):
    with pytest.raises(RequestMistake) as caught:
        decode(*rows)
    return str(caught.value)


def without(name):
    return {key: value for key, value in FLIGHT.items() if key != name}


def test_row_keeps_its_values_and_gets_null_for_what_was_not_given():
    (row,) = decode(without("temp") | {"flight": 7, "tail": "N1"})
    assert row == without("temp") | {"temp": None, "flight": 7, "tail": "N1", "departure": None}


def test_missing_field_that_training_always_had_is_named():
    assert refusal(FLIGHT, without("distance")) == (
        "rows[1].distance: is missing, and training data always had it. Send a number, for example 800."
    )


def test_null_is_refused_only_where_training_always_had_a_value():
    assert next(iter(decode(FLIGHT | {"temp": None})))["temp"] is None
    assert "rows[0].distance: is null" in refusal(FLIGHT | {"distance": None})


def test_unknown_field_is_refused_with_the_nearest_name():
    assert "rows[0].tmep: is no input of the model (value 1). Did you mean 'temp'?" in refusal(
        FLIGHT | {"tmep": 1}
    )


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("temp", "3", 'is "3". Send a number, for example 4.5.'),
        ("temp", True, "is true. Send a number"),
        ("temp", [1], "is [1]. Send a number"),
        ("temp", 1e39, "is 1e+39, too large for float32"),
        ("temp", 10**400, "too large for float32"),
        ("carrier", 3, 'is 3. Send a string, for example "UA".'),
        ("holiday", 1, "is 1. Send true or false"),
        ("tail", [], "rows[0].tail: is []"),
        ("flight", "", 'rows[0].flight: is ""'),
        ("departure", "soon", "rows[0].departure: 'soon' is no time. Write ISO 8601"),
        ("departure", 5, "rows[0].departure: is 5"),
    ],
)
def test_wrong_value_is_named_with_place_and_remedy(name, value, remedy):
    assert remedy in refusal(FLIGHT | {name: value})


def test_whole_numbers_are_numbers_and_other_columns_of_the_charter_are_tolerated():
    (row,) = decode(FLIGHT | {"temp": 4, "departure": "2013-03-01T06:00:00+01:00"})
    assert row["temp"] == 4.0
    assert row["departure"] == "2013-03-01T05:00:00Z"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_literals_that_json_does_not_have_are_refused_with_the_remedy(literal):
    with pytest.raises(RequestMistake, match="Send null for a missing value"):
        SCHEMA.decode(b'{"rows":[{"temp":%s,"distance":1,"carrier":"UA"}]}' % literal.encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is no JSON"),
        (b'{"rows":[', "is no JSON"),
        (b"[]", "has no list `rows`"),
        (b"{}", "has no list `rows`"),
        (b'{"rows":[]}', "is empty"),
        (b'{"rows":[1]}', "rows[0]: is 1"),
        (b'{"rows":[],"row":1}', "unknown key 'row'"),
        (b'{"rows":[{"carrier":"\xff"}]}', "is not UTF-8"),
        (b'{"rows":[{"temp":1e400}]}', "too large for float32"),
        (b'{"rows":' + b"[" * 100_000, "nested too deeply"),
        (b'{"rows":[{"temp":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", "nested too deeply"),
    ],
)
def test_body_that_is_no_request_is_refused(body, message):
    with pytest.raises(RequestMistake) as caught:
        SCHEMA.decode(body)
    assert message in str(caught.value)


def test_unseen_category_is_accepted_with_a_warning():
    rows = SCHEMA.check([FLIGHT | {"carrier": "ZZ"}, FLIGHT])
    assert rows.warnings() == [["carrier: 'ZZ' was not in the training data"], []]


def test_no_warning_when_the_manifest_does_not_hold_all_levels():
    many = Field("carrier", "category", nullable=False, levels=[f"C{number}" for number in range(50)])
    schema = RequestSchema(manifest(inputs=[many]))
    assert schema.check([{"carrier": "ZZ"}]).warnings() == [[]]


def test_columns_whose_names_are_no_identifiers_work():
    schema = RequestSchema(manifest(inputs=[Field("class of 1st/2nd", "number", nullable=False)]))
    (row,) = schema.decode(b'{"rows":[{"class of 1st/2nd":1}]}')
    assert row["class of 1st/2nd"] == 1.0


def test_names_of_another_version_are_tolerated():
    (row,) = RequestSchema(manifest(), also=["wind"]).decode(
        json.dumps({"rows": [FLIGHT | {"wind": 3}]}).encode()
    )
    assert row["wind"] == 3


def test_rows_decoded_elsewhere_are_checked_in_the_same_way():
    assert next(iter(SCHEMA.check([FLIGHT])))["carrier"] == "UA"
    with pytest.raises(RequestMistake, match="Send null for a missing value"):
        SCHEMA.check([FLIGHT | {"temp": math.inf}])
    with pytest.raises(RequestMistake, match=r"rows\[0\].distance: is missing"):
        SCHEMA.check([without("distance")])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["temp", "distance", "carrier", "holiday", "tail", "x"]), json_values))
def test_any_row_is_either_read_or_refused_with_place_and_remedy(row):
    try:
        (read,) = decode(row)
    except RequestMistake as mistake:
        found = mistake
    else:
        found = None
        assert abs(read["distance"]) <= FLOAT32_MAX
        assert isinstance(read["carrier"], str)
    assert found is None or (found.place and found.remedy)


def test_outcome_takes_the_type_of_the_target():
    flights, fares = manifest(), manifest(classes=[], positive=None)
    assert outcome_value(flights, "value", 1) is True
    assert outcome_value(manifest(classes=[0, 1]), "value", True) == 1
    assert outcome_value(fares, "value", 12) == 12.0
    for bad in ("true", 2, None, []):
        with pytest.raises(RequestMistake, match="Send one of"):
            outcome_value(flights, "value", bad)
    with pytest.raises(RequestMistake, match="Send a number"):
        outcome_value(fares, "value", "12")
