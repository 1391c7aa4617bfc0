"""LAW-1 and every promise about secrets, over everything that a run wrote.

Somebody with an unmistakable name, phone, diagnosis and plan number goes through the whole system, well and badly:
billed, mailed, charged, guessed at, posted as nonsense. Then every place is searched: logs, metrics, console, mails,
what Stripe was told, the table, the bucket, queues. No planted value is one that a clock or a counter can make.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

import httpx
import pytest

from infra.local.cloud import Cloud
from infra.local.copy import STRIPE_KEY
from tests.e2e.decisions import Decision, as_835
from tests.e2e.kindbill import A_CARD, JSON, X12, Client, Kindbill
from tests.e2e.launch import Launched

pytestmark = pytest.mark.afterwards

WHO = {
    "first name": "Quilloniax",
    "last name": "Zabrinskova",
    "email": "quilloniax@zabrinskova.example",
    "phone": "4155550987",
}
CARE = {
    "procedure": "QZX7PROC",
    "diagnosis": "F9QZX7.1",
    "member id": "QZX7-MEMBER-81",
    "patient on the file": "QZXPATIENTOV",
    "service date": "2025-02-13",
    "service date as X12 writes it": "20250213",
    "service date in words": "February 13",
}
"""Of a year before the clock of any run."""
TYPED = {
    "a wrong phone number": "4155550666",
    "a key that is none": "kb_live_" + "QZX7q" * 8 + "abc",
    "an idempotency key": "QZX7-IDEMPOTENCY-KEY",
    "a client in a path": "Zabrinskova-in-a-path",
    "a query": "QZX7-in-a-query",
    "a browser": "QZX7-Browser/1.0",
    "a broken body": "QZX7-broken-body",
    "a reason of staff's": "QZX7 was the wrong therapist",
}
CARDS = {"a card number": A_CARD, "a card number in groups": "4242 4242 4242 4242"}


@dataclass(frozen=True)
class Planted:
    """What must not be found: name -> value. Of `link`, a pay link, only the signature is secret."""

    secrets: Mapping[str, str]
    sessions: Mapping[str, str]
    link: str
    client: Client

    @property
    def opens_something(self) -> dict[str, str]:
        """What lets whoever reads it in."""
        return {**self.secrets, **self.sessions, "a pay link": self.link.rpartition(".")[2]}


@pytest.fixture(scope="module")
def cloud(launched: Launched) -> Cloud:
    made = Cloud.local(launched.port + 1)
    made.read_outputs()
    return made


@pytest.fixture(scope="module")
def planted(kindbill: Kindbill, cloud: Cloud) -> Planted:
    """Tell the story."""
    client = Client(kindbill, "planted", f"+1{WHO['phone']}", WHO["email"], "maya-chen")
    person = {"name": f"{WHO['first name']} {WHO['last name']}", "email": client.email, "phone": client.phone}
    more = {"state": "CA", "provider_id": client.provider_id, "portal_eligible": True}
    kindbill.do("PUT", "/v1/clients/planted", "practice", json=person | more)
    client.save_card()
    claims = [_claim(client) for _ in range(2)]
    decided = Decision(claims[0], 212_50, 62_50, procedure=CARE["procedure"], service_date=CARE["service date"])
    file = as_835(decided).replace("NM1*QC*1*SAMPLE*PAT****MI*MBR0001", _patient())
    kindbill.send(file, X12, idempotency_key=TYPED["an idempotency key"])
    kindbill.settle()
    link = client.link()
    sessions = _visit(client, link)
    _nonsense(kindbill, file)
    kindbill.forward("48h")
    assert client.taken() == [62_50]
    (paid,) = client.account()["payments"][0]["invoice_ids"]
    reason = {"reason": TYPED["a reason of staff's"], "amount": 10_00}
    key = {"idempotency-key": TYPED["an idempotency key"]}
    kindbill.do("POST", f"/v1/invoices/{paid}/refunds", "practice", json=reason, headers=key)
    kindbill.settle()
    client.card_behaves("lost_card")
    kindbill.decide(Decision(claims[1], 212_50, 40_00, procedure=CARE["procedure"], service_date=CARE["service date"]))
    kindbill.forward("49h")
    assert len(client.mails("charge_failed")) == 1
    ids = {"LinkSecretId", "StripeWebhookSecretId"}
    values = {name: cloud.secrets.get_secret_value(SecretId=cloud.outputs[name])["SecretString"] for name in ids}
    keys = {f"the key for {scope}": key for scope, key in kindbill.keys.items()}
    return Planted(values | keys | {"the key at Stripe": STRIPE_KEY}, sessions, link, client)


def _claim(client: Client) -> str:
    line = {
        "procedure": CARE["procedure"],
        "service_date": CARE["service date"],
        "charged": 212_50,
        "diagnoses": [CARE["diagnosis"]],
    }
    on = date.fromisoformat(CARE["service date"])
    return client.claim(212_50, on, member_id=CARE["member id"], lines=[line])


def _patient() -> str:
    return f"NM1*QC*1*{CARE['patient on the file']}*{WHO['first name']}****MI*{CARE['member id']}"


def _visit(client: Client, link: str) -> dict[str, str]:
    """A browser that guesses, then comes in and looks -> its session's secrets."""
    with httpx.Client(trust_env=False, timeout=60, headers={"user-agent": TYPED["a browser"]}) as browser:
        browser.post(f"{link}/phone", data={"phone": TYPED["a wrong phone number"]})
        browser.post(f"{link}/phone", data={"phone": client.phone})
        page = browser.get(f"{link}?from={TYPED['a query']}").text
        assert WHO["first name"] in page, "who came in sees whose page it is"
        browser.post(f"{link}/stop", data={"csrf": "guessed", "invoice": "inv_nobodys"})
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert csrf
        opened = browser.post(f"{link}/pay", data={"csrf": csrf[1], "invoice": "all"})
        assert opened.status_code == 303
        return {"a session": browser.cookies["kb_pay"], "a form's token": csrf[1]}


def _nonsense(kindbill: Kindbill, file: str) -> None:
    """What strangers and mistakes send, with people's data in it."""
    broken = TYPED["a broken body"]
    for answer in (
        kindbill.send(f'{{"claim_id": "{broken}", "note": "{WHO["last name"]}"', JSON),
        kindbill.send(json.dumps({"results": [{"claim_id": broken, "note": CARE["diagnosis"]}]}), JSON),
        kindbill.send(file.replace("ST*835", "ST*837"), X12),
        kindbill.call("GET", f"/v1/clients/{TYPED['a client in a path']}/account", "practice"),
        kindbill.call("PUT", "/v1/clients/planted", "practice", json={"name": WHO["last name"], "phone": broken}),
        kindbill.call("GET", f"/v1/holds?of={TYPED['a query']}", headers=_bearer(TYPED["a key that is none"])),
        kindbill.call("POST", "/webhooks/stripe", json={"id": broken, "name": WHO["last name"]}),
        kindbill.call("GET", f"/pay/{broken}.{broken}"),
    ):
        assert answer.status_code in (400, 401, 404, 422) or answer.json()["state"], answer.text
    kindbill.settle()


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# ------------------------------------------------------------------------------------------------------ where to look


def spoken(text: str) -> str:
    """A text together with what it says once addresses and forms in it are decoded."""
    return f"{text}\n{unquote_plus(text)}"


def leaks(planted: Mapping[str, str], places: Mapping[str, str]) -> list[str]:
    """Every planted value that some place holds, as it is or as an address or form would write it."""
    found = []
    for where, text in places.items():
        lower = spoken(text).lower()
        for what, value in planted.items():
            if any(way.lower() in lower for way in (value, quote(value), quote_plus(value))):
                found.append(f"{what} in {where}")
    return found


def logs(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Log group -> all of it: functions' own lines and metrics, crashes, the front door's access log."""
    for page in cloud.logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            events = cloud.logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            yield name, "\n".join(event["message"] for one in events for event in one["events"])


def rows(cloud: Cloud) -> list[dict[str, Any]]:
    pages = cloud.dynamodb.get_paginator("scan").paginate(TableName=cloud.table)
    return [item for page in pages for item in page["Items"]]


def text_of(item: Mapping[str, Any]) -> str:
    return json.dumps(item, default=lambda packed: bytes(packed).hex())


def objects(cloud: Cloud) -> list[str]:
    pages = cloud.s3.get_paginator("list_objects_v2").paginate(Bucket=cloud.outputs["BucketName"])
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


@pytest.fixture(scope="module")
def written(cloud: Cloud, launched: Launched, planted: Planted) -> dict[str, str]:
    """Place -> what stands there: everything that is written for operators to read."""
    assert planted.client
    places = {f"the log {name}": text for name, text in logs(cloud)}
    for file in launched.temporary.rglob("*.log"):
        places[f"the file {file.name}"] = file.read_text("utf-8", errors="replace")
    return places


# --------------------------------------------------------------------------------------------------------------- tests


def test_the_search_finds_what_is_there(planted: Planted, written: dict[str, str], cloud: Cloud) -> None:
    """It would find each value, however it is written; and the logs it searches are those of this run."""
    everything = {**WHO, **CARE, **TYPED, **CARDS, **planted.opens_something}
    for what, value in everything.items():
        for way in (value, value.upper(), quote_plus(value), f'{{"a": "{value}"}}'):
            assert leaks({what: value}, {"here": f"before {way} after"}) == [f"{what} in here"]
    assert '"message":"served"' in written[f"the log /aws/lambda/kindbill-{cloud.stage}-serve_client"]
    assert "ChargesPosted" in written[f"the log /aws/lambda/kindbill-{cloud.stage}-publish_facts"]
    assert leaks(WHO, {"the table": "\n".join(text_of(item) for item in rows(cloud))}) == [
        f"{what} in the table" for what in WHO
    ]
    assert len(planted.opens_something["a pay link"]) == 24


def test_law_1_no_log_metric_or_file_of_a_run_holds_anything_about_anyone(
    planted: Planted, written: dict[str, str]
) -> None:
    assert leaks({**WHO, **CARE, **TYPED, **CARDS}, written) == []


def test_no_log_metric_or_file_of_a_run_holds_what_opens_something(planted: Planted, written: dict[str, str]) -> None:
    assert leaks(planted.opens_something, written) == []


def test_the_terminal_tells_its_owner_the_keys_and_nothing_else_of_a_run(planted: Planted, launched: Launched) -> None:
    said = {"the terminal": launched.said}
    keys = {what: value for what, value in planted.opens_something.items() if not what.startswith("the key for ")}
    assert leaks({**WHO, **CARE, **TYPED, **keys}, said) == []


def test_law_1_a_mail_holds_a_first_name_and_a_link_and_nothing_of_the_care_or_the_keys(
    planted: Planted, kindbill: Kindbill
) -> None:
    mails = {f"{mail['kind']} to {mail['to']}": mail for mail in kindbill.mails()}
    words = {name: f"{mail['subject']}\n{mail['text']}\n{mail['html']}" for name, mail in mails.items()}
    assert any("charge_failed to quilloniax" in name for name in words)
    who = {what: value for what, value in WHO.items() if what != "first name"}
    assert leaks({**who, **CARE, **TYPED, **CARDS, **planted.secrets, **planted.sessions}, words) == []
    assert leaks(WHO, {name: mail["subject"] for name, mail in mails.items()}) == []


def test_law_1_stripe_is_told_ids_and_amounts_only(planted: Planted, kindbill: Kindbill) -> None:
    """Every request that was sent there, headers and all. The address to come back to is the pay link's: it opens
    nothing without the phone number, and ends with the link (SECURITY.md)."""
    heard = kindbill.get("/_local/stripe/_test/requests")
    told = {f"{one['method']} {one['path']} #{number}": json.dumps(one) for number, one in enumerate(heard)}
    assert any("payment_intents" in name for name in told)
    assert leaks({**WHO, **CARE, **TYPED, **CARDS, **planted.secrets, **planted.sessions}, told) == []
    link = {"a pay link": planted.opens_something["a pay link"]}
    fields = {
        f"{name} {field.partition('=')[0]}": field
        for name, one in zip(told, heard, strict=True)
        for field in (one["path"], *one["body"].split("&"))
    }
    assert {leak.rpartition(" ")[2] for leak in leaks(link, fields)} <= {"success_url", "cancel_url", "return_url"}


def test_no_key_of_a_row_and_no_name_of_an_object_says_anything_about_anyone(planted: Planted, cloud: Cloud) -> None:
    """Keys are in messages, in the stream and in the due index, and names of objects in S3's own access logs."""
    keys = [f"{item['pk']['S']} {item['sk']['S']} {item.get('due_at', {}).get('S', '')}" for item in rows(cloud)]
    names = objects(cloud)
    assert any(name.startswith("mail/") for name in names)
    places = {"keys of the table": "\n".join(keys), "names in the bucket": "\n".join(names)}
    assert leaks({**WHO, **CARE, **TYPED, **CARDS, **planted.opens_something}, places) == []


def test_law_1_facts_hold_ids_codes_and_cents(planted: Planted, cloud: Cloud) -> None:
    facts = {item["sk"]["S"]: text_of(item) for item in rows(cloud) if item.get("type") == {"S": "fact"}}
    assert any("PaymentPosted" in name for name in facts)
    assert leaks({**WHO, **CARE, **TYPED, **CARDS}, facts) == []


def test_who_somebody_is_stands_in_one_row(planted: Planted, cloud: Cloud) -> None:
    """Apart from the books: erasing a person keeps those (design: Data). A posted body is evidence, as it came."""
    named = {item["type"]["S"] for item in rows(cloud) if "type" in item and leaks(WHO, {"": text_of(item)})}
    assert named == {"contact"}


def test_no_row_and_no_object_holds_what_opens_something(planted: Planted, cloud: Cloud) -> None:
    """Keys, sessions and forms are kept as hashes or not at all, mails with a placeholder for their link. What an open
    payment page returns to is the only place of a link."""
    secret = {**planted.secrets, **planted.sessions, **CARDS}
    bucket = cloud.outputs["BucketName"]
    read = {name: cloud.s3.get_object(Bucket=bucket, Key=name)["Body"].read() for name in objects(cloud)}
    kept = {name: body.decode("latin-1") for name, body in read.items()}
    table = {f"{item['pk']['S']} {item['sk']['S']}": text_of(item) for item in rows(cloud)}
    assert leaks(planted.opens_something, kept) == []
    assert leaks(secret, table) == []
    assert leaks({"a pay link": planted.opens_something["a pay link"]}, table) == []


def test_a_message_is_an_address_and_nothing_else(planted: Planted, kindbill: Kindbill) -> None:
    """What was given up would lie in a queue for two weeks."""
    letters = {one["message_id"]: json.dumps(one) for one in kindbill.get("/_local/dead-letters")}
    assert leaks({**WHO, **CARE, **TYPED, **CARDS, **planted.opens_something}, letters) == []
