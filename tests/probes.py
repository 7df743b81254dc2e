"""Rows of callers, honest and not, and a model that knows what training saw."""

import json

import numpy as np
import polars as pl

from examples import CARRIERS, WEIGHTS, flight_graph, manifest
from vitok.model.bundle import store_bundle
from vitok.stats.bins import fit_bins
from vitok.stats.profiles import reference_of


def flights(count, seed=0):
    """Rows as training had them."""
    random = np.random.default_rng(seed)
    return [
        {
            "temp": round(float(random.uniform(-20, 35)), 1),
            "distance": int(random.integers(100, 2500)),
            "carrier": str(random.choice(list(CARRIERS))),
            "holiday": bool(random.random() < 0.1),
        }
        for _ in range(count)
    ]


def strange(count):
    return [{**row, "temp": 900.0} for row in flights(count, 1)]


def near_threshold(count):
    """Rows that lie on the threshold, as those that follow it do: their temperatures are solved for."""
    found = []
    for row in flights(4 * count, 2):
        temp = (row["distance"] * 0.0005 + row["holiday"] + CARRIERS[row["carrier"]]) / 0.1
        if -20 <= temp <= 35:
            found.append({**row, "temp": temp + 0.01})
    return found[:count]


def with_reference(blobs, rows=None, **changes):
    """The flight model with a reference of 2 000 rows and their scores."""
    frame = pl.DataFrame(flights(2000) if rows is None else rows)
    logit = -0.1 * frame["temp"] + 0.0005 * frame["distance"] + frame["holiday"].cast(int)
    logit += frame["carrier"].replace_strict(CARRIERS)
    bins = fit_bins(frame, ["temp", "distance"], ["carrier", "holiday"])
    inputs = reference_of(frame, bins)
    scores = pl.DataFrame({"score": 1 / (1 + np.exp(-logit.to_numpy()))})
    outputs = reference_of(scores, fit_bins(scores, ["score"], []))
    reference = json.dumps(inputs.beside(outputs).to_json()).encode()
    files = {"model.onnx": flight_graph(WEIGHTS), "reference.json": reference}
    return store_bundle(blobs, manifest(**changes), files)
