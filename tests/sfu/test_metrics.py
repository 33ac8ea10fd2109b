"""What a scrape shows: the population, every counter, and no label that grows with use."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from sfu.core.types import DropReason
from sfu.metrics import WorkerCollector, families
from tests.sim.actors import Publisher, Subscriber
from tests.sim.call import Call


def test_a_scrape_shows_population_and_counters() -> None:
    call = Call()
    publishers = [Publisher(call, name) for name in ("ann", "cid")]
    subscriber = Subscriber(call, "bob", room="room")
    Subscriber(call, "dan", room="elsewhere")
    registry = CollectorRegistry()
    registry.register(WorkerCollector(call.router.context, call.router.registry, call.router.transports))
    for publisher in publishers:
        subscriber.subscribe(publisher.video)
        publisher.start()
    call.run(3.0)

    def value(name: str, /, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("sfu_rooms") == 2 and value("sfu_participants") == 4
    assert value("sfu_transports", state="connecting") == 4, "ICE is skipped here"
    assert value("sfu_tracks", kind="video") == value("sfu_tracks", kind="audio") == 2
    assert value("sfu_subscriptions", kind="video") == 2 and value("sfu_subscriptions", kind="audio") == 0
    assert value("sfu_subscriptions_limited", kind="video", reason="not_connected") == 0
    assert value("sfu_subscriptions_limited", kind="video", reason="nothing") == 2
    assert value("sfu_forwarded_packets_total") == call.plane.counters.forwarded > 0
    assert value("sfu_received_datagrams_total", kind="rtp") == call.plane.counters.received_rtp
    assert value("sfu_key_frame_requests_total") == sum(len(publisher.requests) for publisher in publishers)
    assert value("sfu_dropped_packets_total", reason="other_layer") == call.plane.counters.dropped["other_layer"]
    assert value("sfu_commands_total") == call.router.counters.commands
    assert value("sfu_plane_info", name=call.plane.name) == 1
    assert (
        value("sfu_worker_cpu_seconds_total", part="plane")
        == 0
        == value("sfu_worker_cpu_seconds_total", part="control")
    )


def test_what_passes_to_signaling_is_what_a_scrape_shows() -> None:
    call = Call()
    collector = WorkerCollector(call.router.context, call.router.registry, call.router.transports)
    registry = CollectorRegistry()
    registry.register(collector)
    for family in families(collector):
        for sample in family.samples:
            assert registry.get_sample_value(sample.name, sample.labels) == sample.value


def test_labels_have_few_values_and_never_name_anybody() -> None:
    call = Call()
    registry = CollectorRegistry()
    registry.register(WorkerCollector(call.router.context, call.router.registry, call.router.transports))
    empty = generate_latest(registry)
    publisher, subscriber = Publisher(call, "ann"), Subscriber(call, "bob")
    subscriber.subscribe(publisher.video)
    publisher.start()
    call.run(2.0)
    busy = generate_latest(registry)
    assert busy.count(b"\n") == empty.count(b"\n"), "the same lines, whatever happens"
    assert b"ann" not in busy and b"bob" not in busy
    assert busy.count(b"sfu_dropped_packets_total{") == len(DropReason)
