"""Tables that cannot be used: `vitok init` says why in one line, and leaves nothing behind."""

import os
import shutil

import polars as pl
import pytest

from commands import files_of


def rows(header, line, count=120):
    return "\n".join([header, *(line(number) for number in range(count))]) + "\n"


def label(number):
    return "ab"[number * number * 31 % 97 % 10 < 4]


GOOD = rows("x,y,t", lambda n: f"{n % 7},{n % 13 / 3},{label(n)}")
TIMES = "x,when,t\n1,2020-01-01,a\n2,soon,b\n3,2020-01-02,a\n"
JUNK = os.urandom(400)

REFUSED = {
    "no such target": ("good.csv", GOOD, ["--target", "late"], ["--target", "'late'", "Columns: x, y, t"]),
    "constant target": ("t.csv", rows("x,t", lambda n: f"{n},a"), [], ["column t", "constant", "'a'"]),
    "target without a value": ("t.csv", rows("x,t", lambda n: f"{n},"), [], ["column t", "constant"]),
    "time that is none": (
        "t.csv",
        TIMES,
        ["--time", "when"],
        ["column when", "rows [1]", "'soon'", "ISO 8601"],
    ),
    "number as time": ("good.csv", GOOD, ["--time", "x"], ["column x", "120 values are no time"]),
    "leak": (
        "t.csv",
        rows("x,paid,t", lambda n: f"{n % 7},{3.5 if label(n) == 'a' else 0.1},{label(n)}"),
        [],
        ["column paid", "tells the target 't'", "--exclude paid"],
    ),
    "empty file": ("t.csv", "", [], ["t.csv", "empty"]),
    "blank lines": ("t.csv", "\n\n \n", [], ["t.csv", "empty"]),
    "header only": ("t.csv", "x,t\n", [], ["0 row(s)"]),
    "one row": ("t.csv", "x,t\n1,a\n", [], ["1 row(s)"]),
    "ids that repeat": (
        "t.csv",
        "key,x,t\nk1,1,a\nk1,2,b\nk2,3,a\n",
        ["--id", "key"],
        ["column key", "rows [0, 1]", "'k1'"],
    ),
    "CSV named Parquet": ("t.parquet", GOOD, [], ["t.parquet", "no Parquet file"]),
    "picture named CSV": ("t.csv", b"\x89PNG\r\n\x1a\n" + JUNK, [], ["t.csv", "no text file"]),
    "picture named Parquet": ("t.parquet", b"\x89PNG\r\n\x1a\n" + JUNK, [], ["no Parquet file"]),
    "picture": ("t.png", b"\x89PNG\r\n\x1a\n" + JUNK, [], ["unknown ending '.png'"]),
    "torn Parquet": ("t.parquet", b"PAR1" + JUNK, [], ["t.parquet", "cannot be read"]),
    "NUL in text": ("t.csv", GOOD + "5,\0,a\n", [], ["t.csv", "no text file"]),
    "UTF-16": ("t.csv", GOOD.encode("utf-16"), [], ["t.csv", "no text file"]),
    "ragged rows": ("t.csv", "x,t\n1,a\n1,2,b\n", [], ["t.csv", "cannot be read"]),
    "open quote": ("t.csv", 'x,t\n"1,a\n2,b\n', [], ["t.csv", "cannot be read"]),
    "header with a name twice": ("t.csv", "x,x,t\n1,2,a\n3,4,b\n", [], ["'x' more than once"]),
    "broken JSON": ("t.json", '{"x": ', [], ["t.json", "cannot be read"]),
    "JSON of numbers": ("t.json", "[1, 2]", [], ["t.json", "cannot be read"]),
    "no ending": ("table", GOOD, [], ["unknown ending ''"]),
    "negative delay": ("t.csv", GOOD, ["--label-delay", "-4h"], ["--label-delay", "'-4h'", "4h"]),
    "delay in words": ("t.csv", GOOD, ["--label-delay", "soon"], ["--label-delay", "'soon'"]),
    "delay beyond reckoning": (
        "t.csv",
        GOOD,
        ["--label-delay", "9999999999y"],
        ["--label-delay", "too long"],
    ),
    "unknown task": ("t.csv", GOOD, ["--task", "ranking"], ["--task", "'ranking'", "binary"]),
    "regression on text": ("t.csv", GOOD, ["--task", "regression"], ["column t", "must be a number"]),
    "binary of three": (
        "t.csv",
        rows("x,t", lambda n: f"{n},{'abc'[n % 3]}"),
        ["--task", "binary"],
        ["column t", "has 3", "multiclass"],
    ),
    "a class in each row": (
        "t.csv",
        rows("x,t", lambda n: f"{n % 5},k{n}"),
        [],
        ["120 distinct values", "no classes"],
    ),
    "target as id": ("t.csv", GOOD, ["--id", "t"], ["'t'"]),
    "target as time": ("t.csv", GOOD, ["--time", "t"], ["'t'"]),
    "target excluded": ("t.csv", GOOD, ["--exclude", "t"], ["'t'"]),
    "excluded column that is not there": ("t.csv", GOOD, ["--exclude", "z"], ["--exclude", "'z'"]),
    "everything excluded": ("t.csv", GOOD, ["--exclude", "x", "--exclude", "y"], ["no column"]),
    "target alone": ("t.csv", rows("t", label), [], ["no column"]),
    "constant features": (
        "t.csv",
        rows("x,t", lambda n: f"1,{label(n)}"),
        [],
        ["no column", "x is constant"],
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_table_is_refused_in_one_line_and_nothing_is_written(tmp_path, mistake, case):
    name, content, options, says = REFUSED[case]
    data, project = tmp_path / name, tmp_path / "project"
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    target = [] if "--target" in options else ["--target", "t"]
    mistake("init", project, "--data", data, *target, *options, says=says)
    assert not project.exists()


def test_parquet_named_csv_is_refused(tmp_path, mistake):
    pl.DataFrame({"x": [1, 2], "t": ["a", "b"]}).write_parquet(tmp_path / "t.csv")
    mistake(
        "init", tmp_path / "p", "--data", tmp_path / "t.csv", "--target", "t", says=["t.csv", "no text file"]
    )


def test_missing_table_and_folder_as_table_are_refused(tmp_path, mistake):
    for data in (tmp_path / "none.csv", tmp_path):
        mistake("init", tmp_path / "p", "--data", data, "--target", "t", says=[str(data), "no such file"])


def test_project_is_never_overwritten(tmp_path, vitok, mistake):
    (tmp_path / "t.csv").write_text(GOOD)
    words = ["init", tmp_path / "p", "--data", tmp_path / "t.csv", "--target", "t"]
    assert vitok(*words).code == 0
    before = files_of(tmp_path)
    mistake(*words, says=["vitok.yaml", "already"])
    assert files_of(tmp_path) == before


def test_file_in_the_place_of_the_folder_is_named(tmp_path, mistake):
    (tmp_path / "t.csv").write_text(GOOD)
    mistake(
        "init", tmp_path / "t.csv", "--data", tmp_path / "t.csv", "--target", "t", says=["t.csv", "folder"]
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_told(tmp_path, mistake):
    (tmp_path / "t.csv").write_text(GOOD)
    (tmp_path / "closed").mkdir(mode=0o500)
    mistake("init", tmp_path / "closed/p", "--data", tmp_path / "t.csv", "--target", "t", says=["closed"])


def _nested():
    return pl.DataFrame(
        {"list": [[1, 2]] * 120, "x": [n % 7 for n in range(120)], "t": [label(n) for n in range(120)]}
    )


def _exotic():
    x = pl.int_range(120) % 7
    return pl.select(
        x=x,
        length=pl.duration(hours=x),
        clock=pl.time(x, 4, 5),
        wide=x.cast(pl.Int128),
        large=pl.lit(2**63, dtype=pl.UInt64),
        price=x.cast(pl.Decimal(10, 2)),
        raw=pl.lit(b"abc"),
        nothing=pl.lit(None),
        kind=pl.lit("k").cast(pl.Categorical),
        t=(x > 3) ^ (pl.int_range(120) ** 2 * 31 % 97 % 3 == 0),
    )


SQL = 'select,"group by",score,id,value,version,time,decision,inputs,t'
ODD = '"line\nbreak","🙂 🙂","tab\there","it\'s ""q""","- a","? b: c","#c",null,yes,"a, {b}: [c]"'
ODDER = rows(ODD, lambda n: ",".join(str(n % k) for k in (7, 3, 5, 2, 4, 8, 3, 9, 11)) + f",{label(n)}: #[x]")
ACCEPTED = {
    "nested columns": ("t.parquet", _nested(), "t", ["list"]),
    "every type of column": ("t.parquet", _exotic(), "t", ["nothing", "raw", "large"]),
    "times of day": ("t.csv", rows("c,x,t", lambda n: f"{n % 24:02}:30:00,{n % 7},{label(n)}"), "t", []),
    "integers beyond 64 bits": ("t.csv", rows("x,t", lambda n: f"{10**25 + n * 10**20},{label(n)}"), "t", []),
    "infinite numbers": (
        "t.csv",
        rows("x,y,t", lambda n: f"{n if n % 9 else 'inf'},{n % 4},{label(n)}"),
        "t",
        ["x"],
    ),
    "numbers beyond float32": (
        "t.csv",
        rows("x,y,t", lambda n: f"{n % 7 * 1e300},{n % 5},{label(n)}"),
        "t",
        ["x"],
    ),
    "words of SQL as names": (
        "t.csv",
        rows(SQL, lambda n: ",".join(str(n % k) for k in (7, 3, 11, 200, 2, 4, 9, 8, 5)) + f",{label(n)}"),
        "t",
        [],
    ),
    "names that YAML could misread": ("a, b: #c.csv", ODDER, "a, {b}: [c]", []),
    "index column without a name": ("t.csv", rows(",x,t", lambda n: f"{n},{n % 7},{label(n)}"), "t", []),
    "zones that differ": (
        "t.csv",
        rows(
            "x,w,t",
            lambda n: (
                f"{n % 7},2020-01-{n % 28 + 1:02}T0{n % 9}:00:00{'+02:00' if n % 2 else 'Z'},{label(n)}"
            ),
        ),
        "t",
        [],
    ),
    "a class with one row": (
        "t.csv",
        rows("x,t", lambda n: f"{n % 7},{'rare' if n == 3 else label(n)}"),
        "t",
        [],
    ),
    "target named score": ("t.csv", rows("x,score", lambda n: f"{n % 7},{n * 37 % 101 / 7}"), "score", []),
}


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.replace(" ", "-"))
def test_odd_table_is_drafted_so_that_a_check_finds_no_error(tmp_path, vitok, case):
    name, content, target, warned = ACCEPTED[case]
    data, project = tmp_path / name, tmp_path / "project"
    if isinstance(content, pl.DataFrame):
        content.write_parquet(data)
    else:
        data.write_text(content, encoding="utf-8")
    drafted = vitok("init", project, "--data", data, "--target", target)
    assert drafted.code == 0, drafted.err
    assert drafted.json["target"] == target
    for column in warned:
        assert any(column in warning for warning in drafted.json["warnings"]), drafted.json["warnings"]
    checked = vitok("check", "--project", project)
    assert checked.code == 0, checked.json
    assert checked.json["ok"]


def test_data_that_moved_away_is_named(tmp_path, vitok, mistake):
    (tmp_path / "t.csv").write_text(GOOD)
    assert vitok("init", tmp_path / "p", "--data", tmp_path / "t.csv", "--target", "t").code == 0
    shutil.move(tmp_path / "t.csv", tmp_path / "u.csv")
    mistake("run", "--project", tmp_path / "p", says=["t.csv", "no such file"])
