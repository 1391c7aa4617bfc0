"""Numbers that an alarm or a dashboard looks at, as CloudWatch's embedded metric format: one more line on standard
output, which Lambda's log group turns into metrics. No request is made for it, and none can fail.

LAW-1: a metric is a name from the table below, a number, and the stage; nothing about anyone.
Source: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from billing.facts import FactKind

NAMESPACE: Final = "Kindbill"


class Metric(StrEnum):
    """Everything that is counted or measured; what each alarm means stands in docs/operations.md."""

    CHARGES_POSTED = "ChargesPosted"
    CHARGES_FAILED = "ChargesFailed"
    CHARGES_UNKNOWN = "ChargesUnknown"
    NOTICES_SENT = "NoticesSent"
    NOTICES_BOUNCED = "NoticesBounced"
    HOLDS_OPENED = "HoldsOpened"
    REFUNDS_FAILED = "RefundsFailed"
    DISPUTES_OPENED = "DisputesOpened"
    RECONCILIATION_DRIFT = "ReconciliationDrift"
    DUE_OLDEST_AGE_SECONDS = "DueOldestAgeSeconds"
    WEBHOOKS_REFUSED = "WebhooksRefused"
    WEBHOOKS_NOT_KEPT = "WebhooksNotKept"
    ERRORS_LOGGED = "ErrorsLogged"
    LOG_FIELDS_DROPPED = "LogFieldsDropped"


OF_FACT: Final[Mapping[str, Metric]] = {
    FactKind.PAYMENT_POSTED: Metric.CHARGES_POSTED,
    FactKind.PAYMENT_FAILED: Metric.CHARGES_FAILED,
    FactKind.PAYMENT_UNKNOWN: Metric.CHARGES_UNKNOWN,
    FactKind.NOTICE_SENT: Metric.NOTICES_SENT,
    FactKind.NOTICE_BOUNCED: Metric.NOTICES_BOUNCED,
    FactKind.CLAIM_HELD: Metric.HOLDS_OPENED,
    FactKind.REFUND_FAILED: Metric.REFUNDS_FAILED,
    FactKind.DISPUTE_OPENED: Metric.DISPUTES_OPENED,
}
"""Which facts are counted, as what. The relay counts them: it sees each fact when it becomes true, whoever wrote it
(at least once, as everything that goes through it)."""


def count(metric: Metric, n: int = 1) -> None:
    """So many more of it. Zero is worth saying where silence would mean that nobody looked."""
    _write({metric: n}, "Count")


def seconds(metric: Metric, n: int) -> None:
    """How long it is, now."""
    _write({metric: n}, "Seconds")


def count_facts(kinds: Iterable[str]) -> None:
    """Count what these facts mean, in one line; nothing where none of them is counted."""
    counts = Counter(OF_FACT[kind] for kind in kinds if kind in OF_FACT)
    if counts:
        _write(counts, "Count")


def _write(values: Mapping[Metric, int], unit: str) -> None:
    line: dict[str, object] = {
        "_aws": {
            "Timestamp": time.time_ns() // 1_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Stage"]],
                    "Metrics": [{"Name": metric, "Unit": unit} for metric in values],
                }
            ],
        },
        "Stage": os.environ.get("STAGE", "none"),
        **{str(metric): value for metric, value in values.items()},
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
