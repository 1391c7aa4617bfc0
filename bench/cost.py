"""What a life costs on AWS, from measured counts: us-east-1 public list prices, no free tier, no discounts.

Durations are assumptions and say so; counts are measured. E-mail is left out: it costs the same whoever sends it.
"""

from dataclasses import dataclass

WRITE_UNIT = 0.625e-6
READ_UNIT = 0.125e-6
QUEUE_REQUEST = 0.40e-6
INVOCATION = 0.20e-6
GIGABYTE_SECOND = 0.0000133334
"""arm64."""
API_REQUEST = 1.00e-6
LOG_GIGABYTE = 0.50

MEMORY_GB = 0.25
STRIPE_MEMORY_GB = 0.5
API_SECONDS = 0.020
WORKER_SECONDS = 0.030
CHARGE_SECONDS = 0.700
LOG_BYTES = 800


@dataclass(frozen=True)
class Counts:
    """Of one life: DynamoDB units, SQS requests, API requests, records handled by workers, charges."""

    write_units: float
    read_units: float
    queue_requests: float
    api_requests: float
    records: float
    charges: int


def dollars_per_million(counts: Counts, batch: int = 10) -> float:
    """AWS cost of a million lives without e-mail; workers handle `batch` records per invocation."""
    invocations = counts.api_requests + counts.records / batch
    seconds = (
        MEMORY_GB * (counts.api_requests * API_SECONDS + (counts.records - counts.charges) * WORKER_SECONDS / batch)
        + STRIPE_MEMORY_GB * counts.charges * CHARGE_SECONDS / batch
    )
    one = (
        counts.write_units * WRITE_UNIT
        + counts.read_units * READ_UNIT
        + counts.queue_requests * QUEUE_REQUEST
        + counts.api_requests * API_REQUEST
        + invocations * INVOCATION
        + seconds * GIGABYTE_SECOND
        + invocations * LOG_BYTES / 1e9 * LOG_GIGABYTE
    )
    return one * 1e6
