import pytest

from vitok.charter.load import load_charter
from vitok.errors import CharterMistake

CHARTER = """\
project: late
goal: {statement: Warn early}
task:
  type: binary
  target: late
data:
  sources: {flights: flights.parquet}
  split: {test: 20%}
accept:
  - roc_auc >= 0.7
retrain:
  on: [drift]
"""


def refusal(text):
    with pytest.raises(CharterMistake) as caught:
        load_charter(text)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("accept:", "acept:", "vitok.yaml:9:1 acept", "unknown key 'acept'. Did you mean 'accept'?"),
        ("target: late", "targt: late", "vitok.yaml:5:3 task.targt", "unknown key 'targt'"),
        ("type: binary", "type: ranking", "vitok.yaml:4:3 task.type", "'ranking' does not fit"),
        ("type: binary", "type: 3", "vitok.yaml:4:3 task.type", "3 does not fit"),
        ("  target: late\n", "", "vitok.yaml:3:1 task", "task.target is missing"),
        ("target: late", "target: ''", "vitok.yaml:5:3 task.target", "'' does not fit"),
        ("project: late", "project: Late Flights", "vitok.yaml:1:1 project", "'Late Flights' does not fit"),
        ("project: late", "project: 3", "vitok.yaml:1:1 project", "3 does not fit"),
        ("test: 20%", "test: 120%", "vitok.yaml:8:11 data.split.test", "'120%' does not fit"),
        ("test: 20%", "test: much", "vitok.yaml:8:11 data.split.test", "'much' does not fit"),
        ("sources: {flights: flights.parquet}", "sources: {}", "vitok.yaml:7:3 data.sources", "does not fit"),
        (
            "sources: {flights: flights.parquet}",
            "sources: [a]",
            "vitok.yaml:7:3 data.sources",
            "does not fit",
        ),
        ("roc_auc >= 0.7", "roc_auk >= 0.7", "vitok.yaml:10:5 accept[0]", "Did you mean 'roc_auc'?"),
        (
            "roc_auc >= 0.7",
            "rmse <= 3",
            "vitok.yaml:10:5 accept[0]",
            "unknown metric 'rmse' for a binary task",
        ),
        ("roc_auc >= 0.7", "roc_auc >= 0.7 or so", "vitok.yaml:10:5 accept[0]", "at character 16"),
        ("roc_auc >= 0.7", "schedule(daily)", "vitok.yaml:10:5 accept[0]", "is a trigger, no gate"),
        (
            "roc_auc >= 0.7",
            "roc_auc >= accepted",
            "vitok.yaml:10:5 accept[0]",
            "'accepted' has no meaning here",
        ),
        ("roc_auc >= 0.7", "profit_per_1000 > 0", "vitok.yaml:10:5 accept[0]", "profit needs costs"),
        (
            "[drift]",
            "[roc_auc < champion]",
            "vitok.yaml:12:8 retrain.on[0]",
            "'champion' has no meaning here",
        ),
        ("[drift]", "[latency_p99_ms > 3]", "vitok.yaml:12:8 retrain.on[0]", "measured on the bundle only"),
        ("[drift]", "['ask(ml_engineer)']", "vitok.yaml:12:8 retrain.on[0]", "can only be a gate"),
        ("roc_auc >= 0.7", "drift", "vitok.yaml:10:5 accept[0]", "is a trigger, no gate"),
        (
            "roc_auc >= 0.7",
            "roc_auc >= 70ms",
            "vitok.yaml:10:5 accept[0]",
            "roc_auc has no unit, but its bound is in 'ms'",
        ),
        ("roc_auc >= 0.7", "size_mb <= 3h", "vitok.yaml:10:5 accept[0]", "size_mb is measured in MB"),
        (
            "roc_auc >= 0.7",
            "worst_slice.f1 > 0.5",
            "vitok.yaml:10:5 accept[0]",
            "monitor.slices, which is empty",
        ),
        ("roc_auc >= 0.7", "gap(a).f1 >= 0.5", "vitok.yaml:10:5 accept[0]", "asks for a large gap"),
        ("roc_auc >= 0.7", "gap(a).f1 <= champion", "vitok.yaml:10:5 accept[0]", "with a number only"),
        ("roc_auc >= 0.7", "f1 >= slice(a=x).f1", "vitok.yaml:10:5 accept[0]", "does not compare two slices"),
        (
            "roc_auc >= 0.7",
            "slice(a).size_mb <= 3",
            "vitok.yaml:10:5 accept[0]",
            "has no slices, no window, and no champion",
        ),
        ("[drift]", "[dritf]", "vitok.yaml:12:8 retrain.on[0]", "cannot read 'dritf'"),
        ("task:", "\ttask:", "vitok.yaml:3:1", "no valid YAML"),
        ("task:", "project: again\ntask:", "vitok.yaml:3:1", "key 'project' stands twice"),
        ("project: late", "project: !!python/name:os.system", "vitok.yaml:1:10", "no valid YAML"),
        ("project: late", "? [a, b]\n: c", "vitok.yaml:1:3", "a key is no plain text"),
    ],
)
def test_mistake_is_told_with_line_column_and_key(old, new, place, says):
    assert old in CHARTER
    mistake = refusal(CHARTER.replace(old, new, 1))
    assert mistake.place == place
    assert says in str(mistake)


@pytest.mark.parametrize("text", ["", "- a", "a", "null", "[", "\0", "&a [*a]", "project: p\n---\na: b"])
def test_text_that_is_no_mapping_is_refused(text):
    assert refusal(text).place.startswith("vitok.yaml:")


def test_sound_charter_has_positions_and_a_digest_of_its_content():
    document = load_charter(CHARTER)
    assert document.place(("accept", 0)) == "vitok.yaml:10:5 accept[0]"
    assert document.digest == load_charter("# a remark\n" + CHARTER).digest
    assert document.digest != load_charter(CHARTER.replace("0.7", "0.8")).digest
    assert document.charter.data.split.test == 0.2
