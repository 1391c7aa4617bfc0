"""`make bench`: the figures of one run, a table for people and one line of JSON for programs, last.

Counts, units and the simulated peak are exact and repeatable. The rates of the 835 readers are times of this machine at
this moment; the ratio of two that were measured in turn is steadier, and read it as a picture all the same.
"""

import json
import resource
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cost import Counts, dollars_per_million
from bench.life import SHARDS, SQS_REQUESTS_PER_MESSAGE, Life
from bench.meter import Meter
from bench.peak import peak
from bench.readers import compare
from billing.invoice import Invoice, Source
from billing.ports import Insert
from edges.store import DynamoStore
from tests.fakes.cloud import LocalCloud

STORED = (100, 2_000)
DUE = 20
PER_COMMIT = 50
CHARGES_AT_ONCE = 100_000
TOGETHER = 10
"""Lives whose results come in one body."""
REACH = {"edi-cli": "≥ 1.5"}


def life(cloud: LocalCloud, lives: int) -> dict[str, Any]:
    """An autopay invoice from claim result to settled webhook: one of so many whose results came in one body."""
    lived = Life(cloud, lives)
    steps = [
        replace(s, write_units=s.write_units / lives, read_units=s.read_units / lives, writes=s.writes / lives)
        for s in lived.run()
    ]
    relayed = lived.store.relayed / lives
    counts = Counts(
        write_units=sum(s.write_units for s in steps),
        read_units=sum(s.read_units for s in steps),
        queue_requests=round(relayed * SQS_REQUESTS_PER_MESSAGE, 2),
        api_requests=1 + 1 / lives,
        records=relayed,
        charges=1,
    )
    return {
        **asdict(counts),
        "write_calls": round(sum(s.writes for s in steps), 1),
        "mails": len(lived.mailer.sent) / lives,
        "dollars_per_million_without_mail": round(dollars_per_million(counts), 2),
        "steps": [asdict(s) for s in steps],
    }


def sweep(cloud: LocalCloud, stored: int) -> float:
    """Read units of finding 20 due items among `stored`: must not depend on what is stored."""
    client, table = cloud.client("dynamodb"), cloud.fresh_table()
    store = DynamoStore(client, table, SHARDS)
    now = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    invoices = [_waiting(n, now - timedelta(minutes=1) if n < DUE else now + timedelta(days=30)) for n in range(stored)]
    for start in range(0, stored, PER_COMMIT):
        store.commit(*(Insert(i) for i in invoices[start : start + PER_COMMIT]))
    with Meter() as meter:
        found = sum(len(store.due(shard, now, 100)) for shard in range(SHARDS))
    assert found == DUE, f"the sweep found {found} of {DUE}"
    return meter.read_units


def _waiting(number: int, at: datetime) -> Invoice:
    issued = at - timedelta(days=2)
    return Invoice(
        "prac_1", f"cli_{number}", f"inv_{number}", 1, Source.CLAIM, str(number), 0, 6250, issued, issued.date(),
        charge_at=at,
    )  # fmt: skip


def cold_modules() -> dict[str, int]:
    """How many modules importing each handler loads. What a first request loads beside (clients, Stripe's SDK where
    money moves) is not in it."""
    from infra.build import VERBS

    found = {}
    for verb in sorted(VERBS):
        code = f"import sys, functions.{verb}.handler; print(len(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found[verb] = int(done.stdout.split()[-1])
    return found


def main() -> None:
    """Measure and print."""
    console = Console()
    cloud = LocalCloud()
    try:
        lived, together = life(cloud, 1), life(cloud, TOGETHER)
        sweeps = {str(n): sweep(cloud, n) for n in STORED}
    finally:
        cloud.stop()
    figures: dict[str, Any] = {
        "life": lived,
        f"life_of_{TOGETHER}_in_one_body": together,
        "sweep_read_units_for_20_due_by_stored": sweeps,
        "peak": peak(CHARGES_AT_ONCE),
        "reader": compare(),
        "modules_imported_with_handler": cold_modules(),
        "peak_rss_kb_of_this_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    reader = figures["reader"]
    steps = Table("step", "write units", "read units", "write calls", title="One autopay invoice's life")
    for step in lived["steps"]:
        steps.add_row(step["name"], f"{step['write_units']:g}", f"{step['read_units']:g}", f"{step['writes']:g}")
    steps.add_row(
        "all", f"{lived['write_units']:g}", f"{lived['read_units']:g}", f"{lived['write_calls']:g}", style="bold"
    )
    console.print(steps)
    summary = Table("figure", "measured", f"{TOGETHER} in a body", "to reach")
    for name, key, reach in (
        ("DynamoDB write units per life", "write_units", "≤ 40"),
        ("DynamoDB write calls per life", "write_calls", "≤ 10"),
        ("SQS requests per life, batches of 10", "queue_requests", "≤ 1.8"),
        ("AWS dollars per million lives, no mail", "dollars_per_million_without_mail", "≤ 75"),
    ):
        summary.add_row(name, f"{lived[key]:g}", f"{together[key]:.3g}", reach)
    for stored, units in sweeps.items():
        summary.add_row(f"sweep: read units, 20 due of {stored}", f"{units:g}", "", "equal")
    burst = figures["peak"]
    summary.add_row("100,000 charges due at once: times the ideal time", f"{burst['times_ideal']:g}", "", "≤ 1.05")
    summary.add_row("… refused by Stripe (429), percent", f"{burst['refused_percent']:g}", "", "≤ 1")
    summary.add_row("… charged twice / given up", f"{burst['charged_twice']} / {burst['given_up']}", "", "0 / 0")
    for name, ratio in reader["times_as_fast_as"].items():
        summary.add_row(f"835 reader: times as fast as {name}", f"{ratio:g}", "", REACH.get(name, ""))
    for name in reader["not_measured"]:
        summary.add_row(f"835 reader: times as fast as {name}", "could not be installed", "", REACH.get(name, ""))
    summary.add_row(
        "835 reader: peak memory, 4.3 MB file", f"{reader['readers']['kindbill']['peak_mb']:g} MB", "", "≤ 40"
    )
    summary.add_row("835 reader: peak memory, 48 MB file", f"{reader['large_peak_mb']:g} MB", "", "≤ 40")
    for verb, count in figures["modules_imported_with_handler"].items():
        summary.add_row(f"modules imported with handler: {verb}", str(count), "", "")
    console.print(summary)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
