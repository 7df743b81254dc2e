"""A project's whole life by the command line, on small real tables of each kind of task."""

import json

import polars as pl
import pytest

from commands import cancer, edit

TURN = {"turn", "verdict", "version", "gates", "baselines", "candidates", "champion", "seconds"}
GATE = {"name", "value", "low", "high", "threshold", "passed", "reason"}
RELEASE = {"release", "version", "state", "share", "evidence"}


def wine():
    from sklearn.datasets import load_wine

    data = load_wine()
    frame = pl.DataFrame(data.data, schema=[str(name) for name in data.feature_names])
    return frame.with_columns(cultivar=pl.Series(data.target), bottle=pl.int_range(pl.len()))


def diabetes():
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    frame = pl.DataFrame(data.data, schema=list(data.feature_names))
    return frame.with_columns(progression=pl.Series(data.target), patient=pl.int_range(pl.len()))


def nasty(path):
    """A table as spreadsheets export it: cp1252, semicolons, decimal commas, gaps, junk, German words."""
    source = cancer().head(400)
    lines = ["Größe in mm;Ünïcode Spalte;konstant;leer;Datum;gemischt;Raucher?;Straße & Nr.;Ergebnis;Kennung"]
    for n, row in enumerate(source.iter_rows(named=True)):
        size = f"{row['mean radius']:.3f}".replace(".", ",") if n % 9 else ""
        texture = f"{row['mean texture']:.2f}".replace(".", ",")
        day = f"{n % 28 + 1:02}.{n % 12 + 1:02}.2023"
        mixed = "kaputt" if n % 97 == 0 else str(n % 17)
        street = ["Ähre", "Öl", "Über"][n % 3] if n % 10 else ""
        outcome = {"benign": "größtenteils gutartig", "malignant": "bösartig"}[row["diagnosis"]]
        lines.append(
            f"{size};{texture};7;;{day};{mixed};{'true' if n % 4 else 'false'};{street};{outcome};K-{n}"
        )
    path.write_bytes("\r\n".join(lines).encode("cp1252"))


def cancer_csv(folder):
    cancer().write_csv(folder / "table.csv")
    return "table.csv", ["--target", "diagnosis", "--id", "patient"], "binary"


def wine_csv(folder):
    wine().write_csv(folder / "table.csv")
    return "table.csv", ["--target", "cultivar", "--id", "bottle"], "multiclass"


def diabetes_parquet(folder):
    diabetes().write_parquet(folder / "table.parquet")
    return "table.parquet", ["--target", "progression", "--id", "patient"], "regression"


def nasty_csv(folder):
    nasty(folder / "table.csv")
    return "table.csv", ["--target", "Ergebnis", "--id", "Kennung"], "binary"


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [pytest.param(cancer_csv, marks=pytest.mark.soak), wine_csv, diabetes_parquet, nasty_csv]
)
def test_life_from_a_table_to_a_watched_release(tmp_path, vitok, mistake, make):
    file, options, task = make(tmp_path)
    data, home = tmp_path / file, tmp_path / "p"
    target, key = options[1], options[3]

    answer = vitok("init", home, "--data", data, *options)
    assert answer.code == 0, answer.err
    assert answer.json.keys() >= {"project", "task", "rows", "columns", "warnings"}
    assert answer.json["task"] == task

    answer = vitok("check", "--project", home)
    assert answer.code == 0, answer.json
    assert all(
        problem.keys() == {"where", "what", "remedy", "severity"} for problem in answer.json["problems"]
    )

    turn = vitok("run", "--quick", "--project", home)
    assert turn.code == 0, (turn.json, turn.err)
    assert turn.json.keys() >= TURN
    assert turn.json["verdict"] == "accepted"
    assert all(gate.keys() >= GATE for gate in turn.json["gates"])
    assert sum(turn.json["seconds"].values()) > 0

    (version,) = vitok("models", "--project", home).json["versions"]
    assert version.keys() >= {"version", "digest", "verdict", "state", "metrics", "created"}
    card = vitok("card", 1, "--project", home)
    assert card.json["target"] == target
    for form, sign in (("md", "# "), ("html", "<html"), ("json", "{")):
        shown = vitok("card", 1, "--format", form, "--project", home, as_json=False)
        assert shown.code == 0, shown.err
        assert sign in shown.out
    assert json.loads(shown.out) == card.json

    released = vitok("release", 1, "--project", home)
    assert released.json.keys() >= RELEASE
    assert released.json["share"] == 1.0

    predicted = vitok("predict", data, "-o", tmp_path / "out.csv", "--project", home)
    assert predicted.code == 0, predicted.err
    assert predicted.json.keys() >= {"rows", "seconds", "version"}
    rows = pl.read_csv(tmp_path / "out.csv", infer_schema_length=None)
    assert rows.height == predicted.json["rows"] == answer_rows(data)
    assert {"id", "decision", "version"} <= set(rows.columns)

    report = vitok("outcomes", data, "--project", home)
    assert report.code == 0, report.err
    assert report.json["matched"] == rows.height
    assert [report.json[name] for name in ("unmatched", "duplicates", "conflicts")] == [0, 0, 0]

    watched = vitok("watch", "--once", "--project", home)
    assert watched.code == 0, watched.err
    assert watched.json.keys() >= {"windows", "findings", "alerts"}

    status = vitok("status", "--project", home)
    assert status.json["champion"]["version"] == 1
    assert status.json["last_turn"]["state"] == "accepted"
    doctor = vitok("doctor", "--project", home)
    assert doctor.code == 0, doctor.json
    mistake("rollback", "--project", home, says=["no version before 1"])
    (release,) = vitok("releases", "--project", home).json["releases"]
    assert release["state"] == "in force"
    assert key


def answer_rows(data):
    if data.suffix == ".parquet":
        return pl.read_parquet(data).height
    return len(data.read_bytes().strip().splitlines()) - 1


@pytest.mark.slow
def test_second_version_is_released_and_taken_back(released, vitok, mistake):
    edit(released, lambda charter: charter["train"].update(seed=1, candidates=["linear"]))
    second = vitok("run", "--project", released, "--quick")
    assert second.code == 0, second.json
    assert second.json["champion"]["version"] == 1
    assert vitok("release", 2, "--project", released).json["version"] == 2
    again = vitok("release", 2, "--project", released)
    assert again.json["epoch"] == 2
    back = vitok("rollback", "--reason", "complaints", "--project", released)
    assert (back.json["version"], back.json["strategy"]) == (1, "rollback")
    history = vitok("releases", "--project", released).json["releases"]
    assert [(r["version"], r["state"]) for r in history] == [
        (1, "superseded"),
        (2, "rolled back"),
        (1, "in force"),
    ]
    again = vitok("rollback", "--project", released)
    assert again.json == back.json | {"taken_back": None, "note": again.json["note"]}
    assert "Nothing was changed" in again.json["note"]
    assert vitok("doctor", "--project", released).code == 0


@pytest.mark.slow
def test_refused_version_is_kept_and_cannot_be_released(drafted, vitok, mistake):
    edit(drafted, lambda charter: charter.update(accept=["roc_auc >= 0.999999", "size_mb <= 0.001"]))
    turn = vitok("run", "--quick", "--project", drafted)
    assert turn.code == 3
    assert turn.json["verdict"] == "refused"
    assert any(not gate["passed"] for gate in turn.json["gates"])
    assert [v["verdict"] for v in vitok("models", "--project", drafted).json["versions"]] == ["refused"]
    mistake("release", 1, "--project", drafted, code=3, says=["version 1", "refused", "gates"])
    assert vitok("releases", "--project", drafted).json == {
        "in_force": None,
        "releases": [],
        "rollouts": [],
    }
    mistake(
        "predict", drafted / "cancer.csv", "-o", drafted / "o.csv", "--project", drafted, says=["no version"]
    )
