"""Projects that cannot be worked with: one line that names place, value and remedy, and nothing changes."""

import json
import socket

import polars as pl
import pytest

from commands import edit, files_of


def set_key(section, **values):
    return lambda charter: charter.setdefault(section, {}).update(values)


CHARTERS = {
    "unknown key": (lambda c: c.update(acept=[]), ["vitok.yaml:", "'acept'", "'accept'"]),
    "unknown metric": (
        lambda c: c.update(accept=["roc_auk >= 0.7"]),
        ["accept[0]", "'roc_auk'", "'roc_auc'"],
    ),
    "target that is not there": (set_key("task", target="late"), ["task.target", "'late'", "Columns"]),
    "time that is not there": (set_key("task", time="when"), ["task.time", "'when'"]),
    "positive that is not there": (set_key("task", positive="ill"), ["'ill'", "task.positive"]),
    "nothing to train on": (
        set_key("data", split={"test": "95%", "validation": "5%"}),
        ["data.split", "0 to train"],
    ),
    "split by a time that is not named": (
        set_key("data", split={"by": "time"}),
        ["data.split.by", "task.time"],
    ),
    "unknown candidate": (
        set_key("train", candidates=["catboost"]),
        ["candidates[0]", "'catboost'", "lightgbm"],
    ),
    "objective of another task": (
        set_key("train", tune={"objectives": ["rmse"]}),
        ["objectives[0]", "'rmse'"],
    ),
    "two sources without query": (
        set_key("data", sources={"a": "cancer.csv", "b": "cancer.csv"}),
        ["no query"],
    ),
    "query that fails": (
        set_key("data", query="SELECT nothing FROM nowhere"),
        ["data.query", "query fails", "data"],
    ),
    "query without rows": (set_key("data", query="SELECT * FROM data WHERE patient < 0"), ["no rows"]),
    "features file that is gone": (lambda c: c.update(features="f.py:add"), ["f.py", "named by the charter"]),
    "expectations that are gone": (set_key("data", expect="e.yaml"), ["e.yaml", "named by the charter"]),
    "source that is gone": (set_key("data", sources={"data": "gone.csv"}), ["gone.csv", "no such file"]),
    "leak": (
        set_key("data", query="SELECT *, CASE WHEN diagnosis = 'benign' THEN 1 ELSE 0 END AS paid FROM data"),
        ["column paid", "tells the target 'diagnosis'", "data.exclude"],
    ),
}


CHECKED = ("unknown key", "leak", "unknown candidate", "target that is not there")


@pytest.mark.parametrize("case", CHARTERS, ids=lambda case: case.replace(" ", "-"))
def test_charter_mistake_stops_a_turn_before_anything_is_registered(drafted, vitok, mistake, case):
    change, says = CHARTERS[case]
    edit(drafted, change)
    answer = mistake("run", "--quick", "--project", drafted, says=says)
    if case not in CHECKED:
        return
    checked = vitok("check", "--project", drafted)
    assert checked.code == 2
    assert not checked.json["ok"]
    errors = [problem for problem in checked.json["problems"] if problem["severity"] == "error"]
    assert answer.error["what"] in [problem["what"] for problem in errors]


TEXTS = {
    "tab": (b"project: p\n\ttask: x\n", ["vitok.yaml:2:1", "YAML"]),
    "key twice": (b"project: p\nproject: q\n", ["vitok.yaml:2:1", "'project'", "twice"]),
    "code": (b"project: !!python/object/apply:os.system ['true']\n", ["vitok.yaml:1:10", "YAML"]),
    "empty": (b"", ["vitok.yaml:1:1", "no mapping"]),
    "endless alias": (b"project: &a [*a]\n", ["vitok.yaml"]),
    "Latin-1": ("project: größe\n".encode("latin-1"), ["vitok.yaml", "UTF-8"]),
    "UTF-16": ("project: p\n".encode("utf-16"), ["vitok.yaml", "UTF-8"]),
    "NUL": (b"project: p\0\n", ["vitok.yaml", "YAML"]),
    "deep": (b"project: " + b"[" * 3000, ["vitok.yaml"]),
    "unhashable key": (b"? [a]\n: b\n", ["vitok.yaml"]),
    "number as key": (b"1: b\n", ["vitok.yaml"]),
}


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: case.replace(" ", "-"))
def test_text_that_is_no_charter_is_refused_with_its_place(tmp_path, mistake, case):
    content, says = TEXTS[case]
    (tmp_path / "vitok.yaml").write_bytes(content)
    mistake("status", "--project", tmp_path, says=says)
    assert [path.name for path in tmp_path.iterdir()] == ["vitok.yaml"]


@pytest.mark.parametrize("verb", ["check", "models", "doctor", "run", "serve", "up"])
def test_folder_without_project_is_named_and_stays_empty(tmp_path, vitok, mistake, verb):
    if verb == "check":
        answer = vitok("check", "--project", tmp_path)
        assert answer.code == 2
        assert "vitok init" in answer.json["problems"][0]["remedy"]
    else:
        mistake(verb, "--project", tmp_path, says=[str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


FUNCTIONS = {
    "syntax error": ("def add(frame:\n", ["features.py", "SyntaxError"]),
    "other name": ("def sub(frame):\n    return frame\n", ["features.py", "'add'"]),
    "import that fails": ("import no_such_module\n", ["features.py", "no_such_module"]),
    "raises": ("def add(frame):\n    raise ValueError('no luck')\n", ["features.py:add", "no luck"]),
    "drops rows": ("def add(frame):\n    return frame.head(3)\n", ["features.py:add", "3 rows for 569"]),
    "returns nothing": ("def add(frame):\n    pass\n", ["features.py:add", "NoneType"]),
    "exits": ("def add(frame):\n    raise SystemExit(0)\n", ["features.py:add"]),
}


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case.replace(" ", "-"))
def test_feature_function_that_fails_is_named(drafted, mistake, case):
    source, says = FUNCTIONS[case]
    (drafted / "features.py").write_text(source)
    edit(drafted, lambda charter: charter.update(features="features.py:add"))
    mistake("run", "--quick", "--project", drafted, says=says)


EXPECTATIONS = {
    "no YAML": ("columns: [", ["expectations.yaml", "YAML"]),
    "a list": ("- a\n", ["expectations.yaml"]),
    "unknown key": ("columns: {patient: {type: number, lowest: 3}}", ["expectations.yaml", "lowest", "low"]),
    "unknown type": ("columns: {patient: {type: integer}}", ["expectations.yaml", "patient"]),
    "column that is gone": ("columns: {ghost: {type: number}}", ["ghost", "expectations.yaml"]),
    "out of range": (
        "columns: {patient: {type: number, low: 1003}}",
        ["patient: 3 row(s)", "rows [0, 1, 2]", "[1000, 1001, 1002]", "expectations.yaml"],
    ),
    "not allowed": (
        "columns: {diagnosis: {type: text, values: [benign]}}",
        ["diagnosis", "not among", "malignant"],
    ),
    "missing": (
        "columns: {mean area: {type: time, max_missing: 0.5}}",
        ["mean area", "100.0% missing", "rows [0, 1, 2]"],
    ),
    "too few rows": ("min_rows: 1000\ncolumns: {}", ["569 rows", "min_rows"]),
}


@pytest.mark.parametrize("case", EXPECTATIONS, ids=lambda case: case.replace(" ", "-"))
def test_expectations_that_are_broken_or_not_met_stop_a_turn(drafted, mistake, case):
    text, says = EXPECTATIONS[case]
    (drafted / "expectations.yaml").write_text(text)
    mistake("run", "--quick", "--project", drafted, says=says)


def test_words_that_mean_nothing_are_refused(released, mistake):
    for words, says in (
        (["run", "--as-of", "yesterday"], ["--as-of", "'yesterday'", "ISO 8601"]),
        (["run", "--as-of", "2020-13-40"], ["--as-of", "'2020-13-40'"]),
        (["card", 99], ["version 99", "Known versions: 1"]),
        (["card", 1, "--format", "pdf"], ["--format", "'pdf'", "html"]),
        (["release", 99], ["version 99", "does not exist"]),
        (["release", 1, "--strategy", "green"], ["green", "immediate", "canary"]),
        (["rollback"], ["rollback", "no version before 1"]),
        (["replay"], ["task.time"]),
        (["replay", "--policy", "yearly"], ["--policy", "'yearly'", "monthly"]),
        (["replay", "--from", "soon"], ["--from", "'soon'"]),
        (["replay", "--step", "often"], ["--step", "'often'"]),
        (["export", "poetry"], ["'poetry'", "schema"]),
    ):
        project = [] if words[0] == "export" else ["--project", released]
        mistake(*words, *project, says=says)


def test_usage_mistakes_exit_with_two(vitok):
    for words in (
        ["runn"],
        ["run", "--fast"],
        ["release"],
        ["release", "two"],
        ["init", "p"],
        ["serve", "--port", "70000"],
    ):
        answer = vitok(*words, as_json=False)
        assert answer.code == 2, (words, answer.out)
        assert "Traceback" not in answer.err
        assert answer.out == ""


def test_port_in_use_is_named(released, mistake):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for verb in ("serve", "up"):
            mistake(verb, "--port", port, "--project", released, says=[str(port), "in use"])


def test_host_that_is_not_ours_is_named(released, mistake):
    mistake("serve", "--host", "203.0.113.7", "--port", 0, "--project", released, says=["203.0.113.7"])
    mistake("serve", "--host", "no such host", "--port", 0, "--project", released, says=["no such host"])


TABLES = {
    "missing column": (lambda f: f.drop("mean area"), ["lacks 1 input(s)", "mean area"]),
    "text in a number column": (
        lambda f: f.with_columns(
            pl.when(pl.col("patient") == 1004).then(pl.lit("big")).otherwise("mean area").alias("mean area")
        ),
        ["mean area", "rows [4]"],
    ),
    "gap": (
        lambda f: f.with_columns(pl.when(pl.col("patient") > 1001).then("mean area").alias("mean area")),
        ["mean area", "2 value(s) are missing", "rows [0, 1]"],
    ),
    "no rows": (lambda f: f.clear(), ["no rows"]),
}


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case.replace(" ", "-"))
def test_rows_that_the_model_cannot_take_are_refused_and_nothing_is_predicted(released, mistake, case):
    change, says = TABLES[case]
    change(pl.read_csv(released / "cancer.csv")).write_csv(released / "in.csv")
    before = files_of(released)
    mistake(
        "predict",
        released / "in.csv",
        "-o",
        released / "out.csv",
        "--project",
        released,
        says=["in.csv", *says],
    )
    assert files_of(released) == before


def test_output_that_cannot_be_written_is_named_and_nothing_is_journalled(released, vitok, mistake):
    words = ["predict", released / "cancer.csv", "--project", released, "-o"]
    mistake(*words, released / "out.xlsx", says=["'.xlsx'", ".csv"])
    mistake(*words, released / "vitok.yaml" / "out.csv", says=["out.csv"])
    assert vitok("status", "--project", released).json["last_window"] is None


def test_outcomes_are_new_unknown_the_same_or_in_conflict(released, vitok):
    pl.read_csv(released / "cancer.csv").head(50).write_csv(released / "rows.csv")
    assert (
        vitok("predict", released / "rows.csv", "-o", released / "out.csv", "--project", released).code == 0
    )

    def report(text, *more):
        (released / "labels.csv").write_text(text)
        answer = vitok("outcomes", released / "labels.csv", *more, "--project", released)
        assert answer.code == 0, answer.err
        return [answer.json[name] for name in ("matched", "unmatched", "duplicates", "conflicts")]

    assert report("patient,diagnosis\n1000,malignant\nx9,benign\n") == [1, 1, 0, 0]
    assert report("id,value\n1000,malignant\n1001,benign\n1001,benign\n") == [1, 0, 2, 0]
    assert report("id,value\n1000,benign\n") == [0, 0, 0, 1]
    assert report("id,value\n1000,benign\n", "--replace") == [1, 0, 0, 0]
    assert report("id,value\n1000,benign\n") == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("patient,diagnosis\n1000,ill\n", ["labels.csv row 0", '"ill"', "benign"]),
        ("patient,result\n1000,benign\n", ["labels.csv", "'diagnosis' or 'value'"]),
        ("key,value\n1000,benign\n", ["labels.csv", "'patient' or 'id'"]),
        ("id,value,time\n1000,benign,never\n", ["time", "'never'"]),
        ("id,value\n1002,benign\n,benign\n", ["labels.csv", "column id", "[1]"]),
        ("", ["labels.csv", "empty"]),
    ],
    ids=["value", "no-value", "no-id", "time", "row-without-id", "empty"],
)
def test_file_that_holds_no_outcomes_is_refused(released, mistake, text, says):
    (released / "labels.csv").write_text(text)
    mistake("outcomes", released / "labels.csv", "--project", released, says=says)


def test_outcomes_before_any_release_are_refused(drafted, mistake):
    mistake("outcomes", drafted / "cancer.csv", "--project", drafted, says=["nothing has been released"])


def test_damaged_bundle_is_found_and_not_served(released, vitok):
    digest = vitok("models", "--project", released).json["versions"][0]["digest"]
    path = released / ".vitok" / "blobs" / digest[:2] / digest
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    answer = vitok("doctor", "--project", released)
    assert answer.code == 1
    failed = [check["check"] for check in json.loads(answer.out)["checks"] if not check["ok"]]
    assert "champion" in failed
    assert "Traceback" not in answer.err
    predicted = vitok("predict", released / "cancer.csv", "-o", released / "o.csv", "--project", released)
    assert predicted.code == 1
    assert "Traceback" not in predicted.err
    assert not (released / "o.csv").exists()


def test_damaged_database_is_told(drafted, vitok):
    (drafted / ".vitok").mkdir()
    (drafted / ".vitok" / "state.sqlite").write_bytes(b"no database at all" * 100)
    answer = vitok("models", "--project", drafted)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "damaged" in answer.message
