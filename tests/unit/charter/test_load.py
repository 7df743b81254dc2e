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
        ("accept:", "x-plan: 1\naccept:", "vitok.yaml:9:1 x-plan", "unknown key 'x-plan'"),
        (
            "target: late",
            "target: late\n  label-delay: 4h",
            "task.label-delay",
            "Did you mean 'label_delay'?",
        ),
        (
            "accept:",
            "scope: {out: [{what: a, wher: b}]}\naccept:",
            "scope.out[0].wher",
            "Did you mean 'where'?",
        ),
        ("accept:", "team: {a-b@x: [boss]}\naccept:", "team.a-b@x[0]", "'boss' does not fit"),
        ("accept:", "approve: {high: boss}\naccept:", "approve.high", "'auto'. Or: Write a list"),
        (
            "test: 20%",
            "test: 7 weeks",
            "data.split.test",
            "Write a share such as 20% or 0.2. Or: write a duration",
        ),
        ("accept:", "train: {seed: -1}\naccept:", "train.seed", "greater than or equal to 0"),
        ("[drift]", "drift", "retrain.on", "Write a list"),
        ("roc_auc >= 0.7", "roc_auc >= 0 * champion", "accept[0]", "leaves nothing"),
        ("roc_auc >= 0.7", "roc_auc >= -1 * champion", "accept[0]", "Write a positive one"),
        ("roc_auc >= 0.7", "gap(a).recall <= -0.1", "accept[0]", "no gap is negative"),
        ("[drift]", "[gap(a).recall < 0.1]", "retrain.on[0]", "any two groups are alike"),
        ("[drift]", "[slice(late).recall < 0.1]", "retrain.on[0]", "production does not record it"),
        ("[drift]", "[labels >= 0]", "retrain.on[0]", "no new label is needed"),
        (
            "accept:",
            "monitor: {slices: [late], alerts: [worst_slice.recall < 0.1]}\naccept:",
            "monitor.alerts[0]",
            "column 'late'",
        ),
    ],
)
def test_mistake_is_told_with_line_column_and_key(old, new, place, says):
    assert old in CHARTER
    mistake = refusal(CHARTER.replace(old, new, 1))
    assert mistake.place.endswith(place)
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


@pytest.mark.parametrize("text", ["!!int x", "!!float zz", "!!bool x", "!!timestamp 2020-13-45"])
def test_value_that_does_not_fit_its_tag_is_no_valid_yaml(text):
    assert "does not fit its tag" in refusal(f"project: {text}").what


def test_aliases_of_aliases_are_refused_before_they_are_counted_out():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 100,000 entries" in refusal("\n".join(lines)).what


def test_message_about_a_long_value_stays_short():
    assert len(str(refusal(CHARTER.replace("roc_auc >= 0.7", "x" * 10_000)))) < 700
    assert len(str(refusal(CHARTER.replace("type: binary", f"type: {'x' * 10_000}")))) < 500


def test_numbers_are_those_of_yaml_1_2():
    costs = "decide: {costs: {tp: 1e2, fp: -1e-3, fn: .5, tn: 1_000}}\naccept:"
    found = load_charter(CHARTER.replace("accept:", costs, 1)).charter.decide.costs
    assert (found.tp, found.fp, found.fn, found.tn) == (100, -0.001, 0.5, 1000)
    for text in ("010", "12:30"):  # neither octal nor to the base of sixty
        assert load_charter(CHARTER.replace("target: late", f"target: {text}")).charter.task.target == text
