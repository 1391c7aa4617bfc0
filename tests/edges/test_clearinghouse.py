"""The client keeps what billing.ports.ClaimReports promises, on the local clearinghouse and on stranger ones: a report,
or a reason that a person can read; never elsewhere, never for ever, never more than it can hold."""

import gzip
import json
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing.ports import Refused, TryAgain
from edges import clearinghouse, deadline
from edges.clearinghouse import Clearinghouse, NotFetched
from infra.local.clearinghouse import KEY, LocalClearinghouse
from tests.edges.formats.report_example import report
from tests.fakes.served import Served

HERE = "71716ec5-0e96-462f-bb77-869941bb27ab"
KEYS = {"riverbend": KEY, "oak": "key_of_another_account"}


@pytest.fixture(scope="module")
def local() -> Iterator[tuple[LocalClearinghouse, str]]:
    """The one that `make run` has, and its address."""
    made = LocalClearinghouse()
    served = Served(lambda _: made.app())
    served.start()
    yield made, served.base
    served.stop()


@pytest.fixture
def world(local: tuple[LocalClearinghouse, str]) -> LocalClearinghouse:
    """One report is there, and nothing goes wrong."""
    made, base = local
    made.faults.arm([])
    made.asked.clear()
    assert httpx.put(f"{base}/transactions/{HERE}", json=report(), trust_env=False).status_code == 204
    return made


@pytest.fixture
def client(local: tuple[LocalClearinghouse, str]) -> Clearinghouse:
    return Clearinghouse(local[1], KEYS)


def arm(local: tuple[LocalClearinghouse, str], kind: str) -> None:
    sent = httpx.post(f"{local[1]}/_test/faults", json=[{"match": HERE, "kind": kind}], trust_env=False)
    assert sent.status_code == 200, sent.text


def test_a_report_is_fetched_as_it_is(world: LocalClearinghouse, client: Clearinghouse) -> None:
    for _ in range(2):
        assert json.loads(client.fetch("riverbend", HERE)) == report()
    assert world.asked == {HERE: 2}


def test_a_base_address_may_end_in_a_slash_and_have_a_path(world: LocalClearinghouse, local: Any) -> None:
    assert Clearinghouse(f"{local[1]}/", KEYS).fetch("riverbend", HERE)


def test_another_key_a_missing_report_and_a_fault_are_each_told_apart(
    world: LocalClearinghouse, client: Clearinghouse, local: Any
) -> None:
    with pytest.raises(NotFetched, match=rf"report {HERE}: the clearinghouse refuses the practice's key \(401\)"):
        client.fetch("oak", HERE)
    with pytest.raises(NotFetched, match=r"report gone: the clearinghouse has no such report \(404\)"):
        client.fetch("riverbend", "gone")
    for kind, status in (("500_before", 500), ("429", 429)):
        arm(local, kind)
        with pytest.raises(NotFetched, match=rf"does not answer as it should \({status}\)"):
            client.fetch("riverbend", HERE)
    assert client.fetch("riverbend", HERE), "what passes by itself is over"


def test_silence_and_a_cut_connection_end_in_time_and_are_told(
    world: LocalClearinghouse, client: Clearinghouse, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearinghouse, "READ_SECONDS", 0.2)
    for kind, error in (("hang", "ReadTimeoutError"), ("drop", "ProtocolError")):
        arm(local, kind)
        with pytest.raises(NotFetched, match=rf"no answer from the clearinghouse \({error}\)"):
            client.fetch("riverbend", HERE)
    assert client.fetch("riverbend", HERE)


def test_nobody_listening_is_told() -> None:
    with pytest.raises(NotFetched, match="no answer from the clearinghouse"):
        Clearinghouse("http://127.0.0.1:1", KEYS).fetch("riverbend", HERE)


def test_a_report_larger_than_can_be_read_is_left(
    world: LocalClearinghouse, client: Clearinghouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearinghouse, "MAX_REPORT_BYTES", 1000)
    with pytest.raises(NotFetched, match="larger than 1,000 bytes"):
        client.fetch("riverbend", HERE)


def test_a_report_that_comes_drop_by_drop_has_an_end(
    world: LocalClearinghouse, client: Clearinghouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(step=15)
    monkeypatch.setattr(clearinghouse, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(clearinghouse, "PIECE_BYTES", 10)
    with pytest.raises(NotFetched, match="not complete after 20 seconds"):
        client.fetch("riverbend", HERE)


def test_no_call_is_begun_that_could_outlast_the_invocation(world: LocalClearinghouse, client: Clearinghouse) -> None:
    left = int((clearinghouse.CALL_SECONDS + deadline.KEPT_SECONDS) * 1000)
    deadline.works(SimpleNamespace(get_remaining_time_in_millis=lambda: left - 1000))
    try:
        with pytest.raises(TryAgain, match="too little"):
            client.fetch("riverbend", HERE)
    finally:
        deadline.works(None)
    assert world.asked == {}


@pytest.mark.parametrize(("base", "practice"), [("", "riverbend"), ("http://127.0.0.1:1", "elm")])
def test_a_practice_or_a_copy_without_a_clearinghouse_is_refused(base: str, practice: str) -> None:
    with pytest.raises(Refused) as refused:
        Clearinghouse(base, KEYS).fetch(practice, HERE)
    assert refused.value.code == "no_clearinghouse"


@pytest.mark.parametrize("transaction_id", ["", "..", "a/b", "a?b", "a#b", "a b", "%2e%2e", "x" * 65])
def test_an_id_that_could_leave_its_place_in_the_address_is_never_asked_for(
    world: LocalClearinghouse, client: Clearinghouse, transaction_id: str
) -> None:
    with pytest.raises(AssertionError):
        client.fetch("riverbend", transaction_id)
    assert world.asked == {}


# ---------------------------------------------------------------------------------------- stranger clearinghouses


class Strange:
    """Answers by the id it is asked for; `elsewhere`: how often its redirect was followed, `keys`: what it was told."""

    def __init__(self) -> None:
        self.elsewhere = 0
        self.encodings: list[str] = []

    def app(self, base: str) -> Starlette:
        text = json.dumps(report()).encode()
        zipped = {"content-encoding": "gzip"}
        answers = {
            "redirect": RedirectResponse(f"{base}/elsewhere", 307),
            "redirect-to-another-host": RedirectResponse(f"{base.replace('127.0.0.1', 'localhost')}/elsewhere", 302),
            "page": Response("<html>Sign in</html>", media_type="text/html"),
            "list": Response("[]"),
            "other": Response('{"transactions": "soon"}'),
            "nothing": Response(b""),
            "bomb": Response(gzip.compress(b" " * 50_000_000), headers=zipped),
            "zipped": Response(gzip.compress(text), headers=zipped),
            "short": Response(text, headers={"content-length": str(len(text) + 10)}),
        }

        async def told(request: Request) -> Response:
            self.encodings.append(request.headers["accept-encoding"])
            return answers[request.path_params["name"]]

        async def elsewhere(_: Request) -> Response:
            self.elsewhere += 1
            return Response(text)

        path = "/change/medicalnetwork/reports/v2/{name}/835"
        return Starlette(routes=[Route(path, told), Route("/elsewhere", elsewhere)])


@pytest.fixture(scope="module")
def strange() -> Iterator[tuple[Strange, Clearinghouse]]:
    made = Strange()
    served = Served(made.app)
    served.start()
    yield made, Clearinghouse(served.base, KEYS)
    served.stop()


@pytest.mark.parametrize("name", ["redirect", "redirect-to-another-host"])
def test_a_redirect_is_not_followed(strange: tuple[Strange, Clearinghouse], name: str) -> None:
    """Our key, and what we would take for a report, stay with the address that an operator gave."""
    with pytest.raises(NotFetched, match="sends us elsewhere, where we do not go"):
        strange[1].fetch("riverbend", name)
    assert strange[0].elsewhere == 0


@pytest.mark.parametrize("name", ["page", "list", "other", "nothing", "bomb", "zipped"])
def test_what_is_no_report_is_not_kept_and_nothing_is_unpacked(
    strange: tuple[Strange, Clearinghouse], name: str
) -> None:
    with pytest.raises(NotFetched, match="is no 835 report"):
        strange[1].fetch("riverbend", name)
    assert set(strange[0].encodings) == {"identity"}


def test_a_report_that_is_cut_short_is_none(strange: tuple[Strange, Clearinghouse]) -> None:
    with pytest.raises(NotFetched, match="no answer from the clearinghouse"):
        strange[1].fetch("riverbend", "short")


def test_the_local_clearinghouse_takes_only_what_it_can_give(local: tuple[LocalClearinghouse, str]) -> None:
    base = local[1]
    for body in (b"", b"[]", b"{"):
        assert httpx.put(f"{base}/transactions/x", content=body, trust_env=False).status_code == 400
    assert httpx.post(f"{base}/_test/faults", json=[{"match": "x", "kind": "rain"}], trust_env=False).status_code == 400
