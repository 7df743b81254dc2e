"""Kinds of projects that `vitok init --template` starts from: what each is for, and what usually goes wrong."""

from dataclasses import dataclass

from vitok.stats.catalogue import TaskKind


@dataclass(frozen=True, slots=True)
class Template:
    """What projects of one kind have in common.

    Args:
        tasks: Kinds of task that it fits.
        statement: The goal, to be made concrete.
        kind: What improves: `cost`, `efficiency` or `revenue`.
        kpi: Name of the usual figure and the metric that moves it; its values are the owner's to state.
        costs: Usual proportions of tp, fp, fn, tn; None without decisions.
        label_delay: How long labels usually take.
        window: Length of a window of production.
        retrain: Usual triggers.
        risks: What usually goes wrong: (what, kind, likelihood, impact, mitigation, watched_by).
        out: What is usually left out.
        regulation: What usually applies.
    """

    tasks: tuple[TaskKind, ...]
    statement: str
    kind: str
    kpi: tuple[str, str]
    costs: tuple[float, float, float, float] | None
    label_delay: str | None
    window: str
    retrain: tuple[str, ...]
    risks: tuple[tuple[str, str, str, str, str, str], ...]
    out: tuple[str, ...] = ()
    regulation: tuple[str, ...] = ()


TEMPLATES: dict[str, Template] = {
    "churn": Template(
        ("binary",),
        "Find the customers who are about to leave in time to keep them",
        "revenue",
        ("churn_rate", "recall"),
        (80.0, -10.0, 0.0, 0.0),
        "30d",
        "7d",
        ("schedule(monthly)", "quality"),
        (
            (
                "campaigns change who leaves, and the model learns from its own doing",
                "technical",
                "high",
                "high",
                "keep a hold-out group that gets no offer",
                "alert(quality)",
            ),
            (
                "offers go to customers who would have stayed",
                "business",
                "medium",
                "medium",
                "judge by profit, not by recall",
                "alert(quality)",
            ),
        ),
        ("customers without history",),
        ("GDPR",),
    ),
    "credit": Template(
        ("binary",),
        "Lend to those who will pay back, and treat alike who is alike",
        "cost",
        ("default_rate", "roc_auc"),
        (100.0, -20.0, -100.0, 0.0),
        "365d",
        "30d",
        ("schedule(monthly)",),
        (
            (
                "outcomes are known for accepted applicants only",
                "technical",
                "high",
                "high",
                "accept a small random share of the refused",
                "alert(drift)",
            ),
            (
                "one group is refused more often without a reason",
                "business",
                "medium",
                "high",
                "gate on the gap between groups",
                "alert(quality)",
            ),
        ),
        ("applicants under age", "applications by companies"),
        ("GDPR Art. 22", "EU AI Act Annex III 5b"),
    ),
    "fraud": Template(
        ("binary",),
        "Stop fraudulent transactions without stopping honest customers",
        "cost",
        ("fraud_losses", "recall"),
        (100.0, -5.0, -100.0, 0.0),
        "30d",
        "1d",
        ("schedule(weekly)", "quality", "drift"),
        (
            (
                "fraudsters adapt their behaviour to the model",
                "technical",
                "high",
                "high",
                "retrain often, watch the scores",
                "alert(drift)",
            ),
            (
                "labels come late, by complaint of the customer",
                "technical",
                "high",
                "medium",
                "review a random sample by hand",
                "alert(quality)",
            ),
        ),
    ),
    "maintenance": Template(
        ("binary",),
        "Repair machines before they stop",
        "cost",
        ("unplanned_stops", "recall"),
        (500.0, -50.0, -500.0, 0.0),
        "7d",
        "1d",
        ("schedule(monthly)", "drift"),
        (
            (
                "a sensor fails or is recalibrated",
                "technical",
                "high",
                "high",
                "limits on each sensor in expectations.yaml",
                "alert(drift)",
            ),
            (
                "repairs that the model asked for hide the stops that would have come",
                "technical",
                "medium",
                "medium",
                "record why each repair was made",
                "alert(quality)",
            ),
        ),
        ("machines without sensors",),
    ),
    "demand": Template(
        ("regression",),
        "Forecast demand so that neither stock nor customers wait",
        "efficiency",
        ("stock_outs", "mae"),
        None,
        "1d",
        "7d",
        ("schedule(weekly)", "quality"),
        (
            (
                "promotions and holidays that the data does not know",
                "technical",
                "high",
                "medium",
                "add a calendar as a source",
                "alert(quality)",
            ),
            (
                "sales are no demand when the shelf is empty",
                "technical",
                "medium",
                "high",
                "mark days without stock",
                "alert(drift)",
            ),
        ),
        ("new products without history",),
    ),
    "text": Template(
        ("binary", "multiclass"),
        "Sort messages to where they belong",
        "efficiency",
        ("handling_time", "accuracy"),
        None,
        "1d",
        "1d",
        ("schedule(monthly)", "quality"),
        (
            (
                "new topics and words",
                "technical",
                "high",
                "medium",
                "watch unseen words, retrain",
                "alert(drift)",
            ),
            (
                "messages hold personal data",
                "business",
                "high",
                "high",
                "remove names before storing",
                "alert(quality)",
            ),
        ),
        ("messages in other languages",),
        ("GDPR",),
    ),
}
