import asyncio
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strictly

from vitok.journal.records import Prediction
from vitok.serve.metrics import Metrics
from vitok.store.counts import Counts, add_up, forget_counts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def prediction(version=1, action="model"):
    return Prediction("a", "a", NOW, NOW, version, "d", "champion", 1, "w", {}, 0.5, True, [], action, "")


def counted(home, worker, requests=3):
    metrics = Metrics(home, worker)
    for number in range(requests):
        metrics.count_request("models/*/predict", 200, 0.002 * number)
    metrics.count_predictions([prediction(), prediction(action="hand_over")], recorded=False)
    metrics.count_outcomes("matched", 2)
    return metrics


def value(metrics, name, **labels):
    text, _ = metrics.render(4, b"application/openmetrics-text; version=1.0.0")
    found = {(s.name, *sorted(s.labels.items())): s.value for f in strictly(text.decode()) for s in f.samples}
    return found[name, *sorted(labels.items())]


def test_strict_parser_reads_all_of_it(tmp_path):
    metrics = counted(tmp_path, "one")
    assert value(metrics, "vitok_requests_total", route="models/*/predict", status="200") == 3
    assert value(metrics, "vitok_predictions_total", version="1", role="champion", action="hand_over") == 1
    assert value(metrics, "vitok_request_seconds_bucket", le="0.001") == 1
    assert value(metrics, "vitok_request_seconds_count") == 3
    assert value(metrics, "vitok_unrecorded_total") == 2
    assert value(metrics, "vitok_plan_epoch") == 4
    assert value(metrics, "vitok_worker_memory_bytes") > 0


def test_any_worker_answers_for_all_and_the_dead_still_count(tmp_path):
    one, two = counted(tmp_path, "one"), counted(tmp_path, "two", requests=5)

    async def end(metrics):
        task = asyncio.create_task(metrics.publish())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(end(two))
    assert value(one, "vitok_requests_total", route="models/*/predict", status="200") == 8
    assert one.predicted(1) == 4
    (tmp_path / "metrics" / "three.json").write_text("{")
    assert value(one, "vitok_request_seconds_count") == 8
    forget_counts(tmp_path)
    assert value(one, "vitok_request_seconds_count") == 3


parts = st.builds(
    Counts,
    requests=st.dictionaries(st.sampled_from(["a\t200", "b\t404"]), st.integers(0, 9)),
    buckets=st.lists(st.integers(0, 9), min_size=12, max_size=12),
    seconds=st.integers(0, 9).map(float),
)


@given(st.lists(parts, max_size=5), st.randoms())
def test_order_does_not_matter(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert add_up(found) == add_up(shuffled)
