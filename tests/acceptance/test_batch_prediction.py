"""`vitok predict` on tables of every kind; killed, interrupted, and gone on."""

import os
import signal
import subprocess
import time

import polars as pl
import pytest

from commands import COMMAND, cancer
from vitok.errors import UserMistake
from vitok.journal.index import Lookup
from vitok.journal.ledger import Ledger
from vitok.loop.predict import Request, predict_table
from vitok.store.lake import Lake
from vitok.wire import open_project

COLUMNS = ["id", "score", "decision", "version"]


def predict(project, source, output, query=None, *, journalled=False, part_rows=100):
    """In this process, which is faster than a command."""
    source = None if source is None else str(source)
    return predict_table(open_project(project), Request(source, output, query, journalled, part_rows))


def journal(project):
    return Ledger(Lake(project / ".vitok" / "lake")).predictions()


@pytest.fixture(scope="session")
def expected(released_once, tmp_path_factory):
    """What the whole table is answered."""
    output = tmp_path_factory.mktemp("expected") / "out.parquet"
    predict(released_once, released_once / "cancer.csv", output)
    return pl.read_parquet(output)


def many(copies):
    """The table several times, with distinct ids."""
    frames = [cancer().with_columns(pl.col("patient") + 1000 * copy) for copy in range(copies)]
    return pl.concat(frames)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_each_kind_of_file_gives_the_same_answers(released, expected, ending):
    source, output = released / f"rows.{ending}", released / f"out.{ending}"
    write = {"parquet": "write_parquet", "csv": "write_csv", "jsonl": "write_ndjson"}[ending]
    getattr(cancer().drop("diagnosis"), write)(source)
    predict(released, source, output, journalled=True)
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending]
    found = read(output)
    assert found.columns == COLUMNS
    same = found.with_columns(pl.col("id").cast(pl.String))
    assert same.drop("score").equals(expected.drop("score"))
    assert (same["score"] - expected["score"]).abs().max() < 1e-12
    assert not list(released.glob(".out*"))
    rows = journal(released)
    assert rows["id"].sort().to_list() == expected["id"].sort().to_list()
    lookup = Lookup(released / ".vitok" / "journal")
    assert lookup.find(["1000", "1568", "x"])[0] == {"1000", "1568"}
    lookup.close()


def test_intervals_are_left_out_where_too_few_rows_were_judged(released, expected):
    output = released / "sure.parquet"
    request = Request(str(released / "cancer.csv"), output, None, False, 100, intervals=True)
    predict_table(open_project(released), request)
    found = pl.read_parquet(output)
    assert found.columns == ["id", "score", "low", "high", "decision", "version"]
    assert found.drop("low", "high").equals(expected)
    assert found["low"].is_null().all()  # 114 rows to judge cannot tell how sure a score is


def test_folder_pattern_query_and_lake_table(released, expected, tmp_path):
    table, folder = cancer(), tmp_path / "parts"
    (folder / "more").mkdir(parents=True)
    (folder / "_SUCCESS").write_text("")
    table[:200].write_csv(folder / "a.csv")
    table[200:300].write_parquet(folder / "b.parquet")
    table[300:].write_ndjson(folder / "more" / "c.jsonl")
    Lake(released / ".vitok" / "lake").write_version("incoming", table)
    twice = "SELECT * FROM rows UNION ALL SELECT * FROM rows"
    sources = {
        "folder": (folder, None, expected),
        "pattern": (f"{folder}/**/*.*", None, expected),
        "lake": ("lake:incoming", None, expected),
        "query": (None, "SELECT * FROM data", expected),
        "query-of-input": (folder / "b.parquet", twice, pl.concat([expected[200:300]] * 2)),
    }
    for name, (source, query, wanted) in sources.items():
        output = tmp_path / f"{name}.parquet"
        predict(released, source, output, query, part_rows=70)
        assert pl.read_parquet(output).drop("score").equals(wanted.drop("score")), name
    output = tmp_path / "folder-of-parts"
    predict(released, folder, output, part_rows=200)
    assert sorted(path.name for path in output.iterdir()) == [f"part-{n:06}.parquet" for n in range(3)]
    assert pl.read_parquet(output)["id"].equals(expected["id"])
    assert journal(released).is_empty()


def killed(project, words, output, parts, sign):
    """Starts a run and ends it when some parts are finished; returns what it said."""
    work = output.parent / f".{output.name}.vitok-work"
    command = [*COMMAND, "predict", *map(str, words), "-o", str(output), "--project", str(project)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (work / f"part-{parts:06}.parquet").is_file():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.001)
    os.kill(process.pid, sign)
    said = process.communicate()[1].decode()
    assert not output.exists()
    return process.returncode, said, work


@pytest.mark.slow
def test_killed_run_goes_on_and_journals_each_row_once(released, vitok):
    source, output = released / "rows.parquet", released / "out.csv"
    many(10).drop("patient").write_parquet(source)
    words = [source, "--part-rows", "150"]
    for parts in (2, 9, 17):
        code, _, work = killed(released, words, output, parts, signal.SIGKILL)
        assert code == -signal.SIGKILL
    answer = vitok("predict", *words, "-o", output, "--project", released)
    assert answer.code == 0, answer.err
    assert answer.json["resumed_rows"] >= 17 * 150
    assert "Going on after" in answer.err
    found, rows = pl.read_csv(output), journal(released)
    assert found.height == rows.height == 5690
    assert found["id"].n_unique() == 5690
    assert rows["worker"].n_unique() == 1
    assert sorted(rows["id"]) == sorted(found["id"])
    assert sorted(rows["seq"]) == list(range(1, 5691))
    lookup = Lookup(released / ".vitok" / "journal")
    assert lookup.find(found["id"].to_list())[0] == set(found["id"])
    lookup.close()
    assert not work.exists()


@pytest.mark.slow
def test_interrupted_run_says_how_to_go_on_and_a_changed_one_begins_anew(released, vitok):
    source, output = released / "rows.csv", released / "out.parquet"
    many(10).write_csv(source)
    words = [source, "--part-rows", "100"]
    code, said, work = killed(released, words, output, 5, signal.SIGINT)
    assert code == 2, said
    assert "interrupted. Run the same command again. It will go on after" in said
    assert str(work) in said
    many(9).write_csv(source)
    answer = vitok("predict", *words, "-o", output, "--project", released)
    assert answer.code == 0
    assert answer.json["resumed_rows"] == 0
    assert "Starting anew: input changed since the interrupted run." in answer.err
    assert pl.read_parquet(output).height == answer.json["rows"] == 9 * 569


def folder_with(make):
    def build(released):
        (released / "in").mkdir()
        make(released / "in", cancer())
        return released / "in", None

    return build


def mixed(folder, table):
    table.write_csv(folder / "a.csv")
    table.with_columns(pl.col("mean area") > 500).write_csv(folder / "b.csv")


def lacking(folder, table):
    table.write_csv(folder / "a.csv")
    table.drop("mean area").write_parquet(folder / "b.parquet")


def late_text(folder, table):
    big = pl.concat([table] * 20)
    texts = big.with_columns(pl.col("mean area").cast(pl.String))
    texts.with_columns(
        pl.when(pl.int_range(pl.len()) == 11_000)
        .then(pl.lit("big"))
        .otherwise("mean area")
        .alias("mean area")
    ).write_csv(folder / "late.csv")


MISTAKES = {
    "empty folder": (folder_with(lambda folder, table: None), ["in", "holds no table"]),
    "mixed types": (folder_with(mixed), ["b.csv", "'mean area' is true or false here and a number in"]),
    "mixed columns": (folder_with(lacking), ["b.parquet", "lacks 1 input(s)", "mean area"]),
    "text in a late row": (folder_with(late_text), ["late.csv", "mean area", "rows [11000]", "'big'"]),
    "no lake table": (lambda released: ("lake:nothing", None), ["lake:nothing", "no such table"]),
    "broken query": (lambda released: (None, "SELEC 1"), ["--query", "the query fails"]),
    "unknown column": (lambda released: (None, "SELECT nothing FROM data"), ["--query", "nothing"]),
    "no input": (lambda released: (None, None), ["Give INPUT, or --query SQL"]),
    "no such file": (lambda released: (released / "none.csv", None), ["none.csv", "no such file"]),
    "no such pattern": (lambda released: (released / "n*.csv", None), ["n*.csv", "no file fits"]),
}


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.replace(" ", "-"))
def test_input_that_cannot_be_predicted_is_named_and_leaves_nothing(released_once, tmp_path, case):
    make, says = MISTAKES[case]
    output = tmp_path / "out" / "predictions.csv"
    source, query = make(tmp_path)
    with pytest.raises(UserMistake) as told:
        predict(released_once, source, output, query, journalled=True)
    assert all(words in str(told.value) for words in says), str(told.value)
    assert not list(output.parent.glob("*"))
    assert journal(released_once).is_empty()


def test_output_among_the_inputs_is_refused(released_once, tmp_path, mistake):
    source = tmp_path / "in"
    source.mkdir()
    cancer().write_csv(source / "a.csv")
    words = ["predict", source, "-o", source / "o.csv", "--project", released_once]
    mistake(*words, says=["inside the input"])
    for what, output, says in [
        (source / "a.csv", source / "a.csv", "the input itself"),
        (source / "a.csv", source, "holds"),
    ]:
        with pytest.raises(UserMistake, match=says):
            predict(released_once, what, output)
