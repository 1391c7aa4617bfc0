"""A clearinghouse's reports over HTTPS: billing.ports.ClaimReports on the report calls that Change Healthcare and Stedi
have in common. stedi.com/docs/healthcare/api-reference/get-healthcare-reports-835

Nobody outside decides where a request goes: the address is the operator's parameter, the id of a transaction cannot
leave its place in the path, and a redirect is an answer like any other that is no report.
What is read has a size and an end in time, however slowly it comes.

| the clearinghouse says | here |
|---|---|
| 200 and a report | the report |
| 401, 403, 404, 429, 5xx, a redirect, something that is no report | NotFetched with the status: the queue tries again |
| nothing in time, a cut connection | NotFetched with what happened |
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import urllib3

from billing.clearinghouse_event import TRANSACTION_ID
from billing.ports import Refused, TryAgain
from edges import deadline, strict_json

PATH: Final = "/change/medicalnetwork/reports/v2/{transaction_id}/835"
CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 5
"""Between two pieces of an answer."""
WHOLE_SECONDS: Final = 20
"""For all of it."""
CALL_SECONDS: Final = CONNECT_SECONDS + WHOLE_SECONDS + READ_SECONDS
MAX_REPORT_BYTES: Final = 10_000_000
"""What read_claims can hold: some 5,000 claims, read as JSON in a third of its memory. The 835 itself may be larger."""
PIECE_BYTES: Final = 1 << 16


class NotFetched(TryAgain):
    """The report could not be had. Its sentence is what a person reads of a dead letter: ids, statuses, no content."""


class Clearinghouse:
    """`base`: the address of the API, "" where there is none · `keys`: practice -> what authorises its requests."""

    def __init__(self, base: str, keys: Mapping[str, str]) -> None:
        self._base = base.rstrip("/")
        self._keys = keys
        self._pool = urllib3.PoolManager(num_pools=1, retries=False)

    def fetch(self, practice: str, transaction_id: str) -> bytes:
        """The report of that transaction. Raises NotFetched, Refused where the practice has no clearinghouse."""
        assert TRANSACTION_ID.fullmatch(transaction_id), "the door lets nothing else in"
        if not self._base or practice not in self._keys:
            raise Refused("no_clearinghouse", "This practice has no clearinghouse.")
        about = f"report {transaction_id}"
        deadline.take(CALL_SECONDS, CALL_SECONDS)
        try:
            body = self._get(self._base + PATH.format(transaction_id=transaction_id), self._keys[practice], about)
        except urllib3.exceptions.HTTPError as cut:
            raise NotFetched(f"{about}: no answer from the clearinghouse ({type(cut).__name__})") from cut
        if not _is_report(body):
            raise NotFetched(f"{about}: what the clearinghouse sent is no 835 report")
        return body

    def _get(self, url: str, key: str, about: str) -> bytes:
        ends = time.monotonic() + CONNECT_SECONDS + WHOLE_SECONDS
        answer = self._pool.request(
            "GET",
            url,
            headers={"authorization": key, "accept": "application/json", "accept-encoding": "identity"},
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            if answer.status != HTTPStatus.OK:
                raise NotFetched(f"{about}: {_meaning(answer.status)} ({answer.status})")
            body = bytearray()
            while piece := answer.read1(PIECE_BYTES, decode_content=False):
                body += piece
                if len(body) > MAX_REPORT_BYTES:
                    raise NotFetched(f"{about}: larger than {MAX_REPORT_BYTES:,} bytes")
                if time.monotonic() > ends:
                    raise NotFetched(f"{about}: not complete after {WHOLE_SECONDS} seconds")
            return bytes(body)
        finally:
            answer.close()


def _meaning(status: int) -> str:
    """What a person does about it."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "the clearinghouse refuses the practice's key"
    if status == HTTPStatus.NOT_FOUND:
        return "the clearinghouse has no such report"
    if 300 <= status < 400:
        return "the clearinghouse sends us elsewhere, where we do not go"
    return "the clearinghouse does not answer as it should"


def _is_report(body: bytes) -> bool:
    try:
        read = strict_json.loads(body, decimal=True)
    except strict_json.NotJson:
        return False
    return isinstance(read, dict) and isinstance(read.get("transactions"), list)
