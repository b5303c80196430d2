"""How the service stands, as Prometheus metrics: collected when they are asked for, absent where unknown."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.errors import Unavailable
from backend.operations.alarms import alarms
from backend.operations.types import UP, AlarmCode, Facts
from backend.research.budget import PrivacyBudget


def exposed(facts: Facts, budget: PrivacyBudget) -> bytes:
    """Return the text of the metrics."""
    registry = CollectorRegistry()
    registry.register(_Standing(facts, budget))
    return generate_latest(registry)


class _Standing(Collector):
    def __init__(self, facts: Facts, budget: PrivacyBudget) -> None:
        self._facts = facts
        self._budget = budget

    def collect(self) -> Iterator[Metric]:
        facts = self._facts
        part = GaugeMetricFamily("assent_part_up", "1 for a part that can be used, else 0", labels=["part"])
        for name, state in facts.parts.items():
            part.add_metric([name], state == UP)
        yield part
        if facts.chain is not None and facts.chain.lag_seconds is not None:
            yield _gauge(
                "assent_chain_lag_seconds", "Age of the network's newest block", facts.chain.lag_seconds
            )
        log = facts.log
        yield _gauge("assent_log_entries", "Entries of the audit log", log.size)
        yield _gauge("assent_log_anchored_entries", "Of these, on the chain", log.anchored_size)
        yield _gauge(
            "assent_log_anchored_timestamp_seconds",
            "When the whole log was last known to be on the chain",
            log.covered_at,
        )
        yield _gauge("assent_log_key_timestamp_seconds", "When the log's key was made", log.key_made_at)
        yield from self._acts()
        yield _gauge("assent_storage_free_bytes", "Below the data directory", facts.storage.free_bytes)
        if facts.storage.pins is not None:
            yield _gauge("assent_pins", "Blobs that the block store keeps", facts.storage.pins)
        yield from self._nodes()
        yield self._alarms()
        try:
            balance = self._budget.balance()
        except Unavailable:
            return
        yield _gauge(
            "assent_privacy_budget_spent_ratio",
            "Of the period's privacy budget of all answers together",
            balance.spent / max(1, balance.spent + balance.left),
        )

    def _nodes(self) -> Iterator[Metric]:
        """Of a block store of several nodes; of one the families are empty."""
        storage = self._facts.storage
        yield _gauge("assent_pins_below", "Blobs that fewer nodes keep than should", storage.pins_below)
        up = GaugeMetricFamily("assent_block_node_up", "1 for a node that answers, else 0", labels=["node"])
        missing = GaugeMetricFamily(
            "assent_block_node_missing_pins", "Blobs that the node does not keep", labels=["node"]
        )
        altered = GaugeMetricFamily(
            "assent_block_node_altered",
            "Blocks that the node gave altered since the service started",
            labels=["node"],
        )
        for node in storage.nodes:
            up.add_metric([node.name], node.up)
            altered.add_metric([node.name], node.altered)
            if node.missing is not None:
                missing.add_metric([node.name], node.missing)
        yield from (up, missing, altered)

    def _acts(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("assent_acts_waiting", "Accepted and not over", labels=["kind"])
        failing = GaugeMetricFamily("assent_acts_failing", "Tried again and again, not done", labels=["kind"])
        oldest = GaugeMetricFamily(
            "assent_acts_oldest_timestamp_seconds",
            "When the oldest that is not over was accepted",
            labels=["kind"],
        )
        for kind in self._facts.backlog:
            waiting.add_metric([kind.kind], kind.waiting)
            failing.add_metric([kind.kind], kind.failing)
            oldest.add_metric([kind.kind], kind.oldest_at)
        yield from (waiting, failing, oldest)

    def _alarms(self) -> Metric:
        """Those that do not rise are 0: a rule can tell them from a service that does not answer."""
        family = GaugeMetricFamily(
            "assent_alarms", "Alarms of GET /v1/operations that rise now", labels=["code"]
        )
        rising = [alarm.code for alarm in alarms(self._facts)]
        for code in AlarmCode:
            family.add_metric([code.value], rising.count(code))
        return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
