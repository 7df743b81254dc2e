import pytest

from examples import CHARTER
from vitok.charter.answers import Answer, Holdout, Limit
from vitok.charter.load import load_charter
from vitok.errors import CharterMistake


def decisions(extra, task="binary"):
    text = CHARTER.replace("binary", task)
    if task == "regression":
        text = text.replace("roc_auc >", "rmse <")
    return load_charter(text + extra).decisions


def test_rules_come_before_or_after_the_model_by_what_they_look_at():
    found = decisions(
        "decide:\n  rules: [distance < 100 -> default(false), score > 0.9 and carrier = 'UA' -> hand_over]\n"
        "  unsure: hand_over within 0.1\n  outlier: default(false) beyond 99%\n  out_of_scope: default(true)\n"
        "scope: {out: [cargo, {what: hops, where: distance < 50}]}\n"
        "serve: {fallback: [previous, default(false)]}\n"
    )
    assert [rule.is_after for rule in found.rules] == [False, True]
    assert found.rules[0].answer == Answer(hand_over=False, value=False)
    assert found.rules[1].answer == Answer(hand_over=True)
    assert found.unsure == Limit(0.1, Answer(hand_over=True))
    assert found.outlier == Limit(0.99, Answer(hand_over=False, value=False))
    assert [rule.name for rule in found.scope] == ["out of scope: hops"]
    assert found.scope[0].answer == Answer(hand_over=False, value=True)
    assert found.previous
    assert found.fallback == Answer(hand_over=False, value=False)


def test_a_share_of_the_units_may_be_held_out_by_the_project():
    found = decisions("decide: {holdout: default(false) for 2.5%}")
    assert found.holdout == Holdout(0.025, Answer(hand_over=False, value=False), "flights")
    assert decisions("").holdout is None
    assert decisions("decide: {holdout: default(12.5) for 10%}", "regression").holdout.answer.value == 12.5


def test_silence_means_the_model_decides_and_the_version_before_helps():
    found = decisions("")
    assert (found.scope, found.rules, found.unsure, found.outlier) == ((), (), None, None)
    assert found.previous
    assert found.fallback is None


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("decide: {rules: [distance < 100]}", "decide.rules[0]: 'distance < 100' has no `->`"),
        ("decide: {rules: ['distance < -> hand_over']}", "cannot read the condition 'distance <'"),
        ("decide: {rules: [a = 1 -> deny]}", "'deny' is no answer"),
        ("decide: {rules: ['a = 1 -> default([1])']}", "holds no value"),
        ("decide: {unsure: hand_over beyond 3}", "decide.unsure: cannot read"),
        ("decide: {unsure: hand_over within much}", "'much' is no number"),
        ("decide: {unsure: hand_over within -1}", "no sensible limit"),
        ("decide: {outlier: hand_over beyond 3}", "decide.outlier: '3' is no share from 50% to below 100%"),
        ("decide: {outlier: hand_over beyond 100%}", "no share from 50% to below 100%"),
        ("decide: {outlier: hand_over within 99%}", "decide.outlier: cannot read"),
        ("decide: {unsure: hand_over within far}", "decide.unsure: 'far' is no number"),
        ("decide: {outlier: perhaps}", "decide.outlier: 'perhaps' is no answer"),
        ("decide: {holdout: default(false)}", "decide.holdout: 'default(false)' names no share of the units"),
        ("decide: {holdout: default(false) for 60%}", "'60%' is no share above 0% and up to 50%"),
        ("decide: {holdout: default(false) for some}", "'some' is no share"),
        ("decide: {holdout: default(false) within 5%}", "names no share"),
        ("decide: {holdout: hand_over for 5%}", "hands over: of what people decide"),
        ("decide: {out_of_scope: nothing}", "decide.out_of_scope: 'nothing' is no answer"),
        ("scope: {out: [{what: hops, where: distance <}]}", "scope.out[0]: cannot read the condition"),
        ("serve: {fallback: [hand_over, previous]}", "serve.fallback[1]: 'previous' is never asked"),
        ("serve: {timeout: soon}", "serve.timeout: 'soon' does not fit"),
        ("serve: {unrecorded: ignore}", "serve.unrecorded"),
    ],
)
def test_mistake_is_told_with_its_place(extra, says):
    with pytest.raises(CharterMistake) as caught:
        decisions(extra)
    assert says in str(caught.value)


def test_numbers_cannot_be_unsure_and_need_numbers_as_default():
    with pytest.raises(CharterMistake, match="no meaning for a regression task"):
        decisions("decide: {unsure: hand_over}", "regression")
    with pytest.raises(CharterMistake, match="Write a number"):
        decisions("serve: {fallback: [default(late)]}", "regression")
