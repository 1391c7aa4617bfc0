"""What SES was given and what the books say of it make one mail."""

from datetime import UTC, datetime
from typing import Any

from billing.facts import Fact, FactKind
from infra.local.mailbox import join

SENT_AT = datetime(2026, 11, 22, 17, tzinfo=UTC)


def message(message_id: str, **words: Any) -> dict[str, Any]:
    body = {"Subject": "Your bill of $62.50 is ready", "BodyText": "", "BodyHtml": "", "To": ["ana@mail.example"]}
    return {"MessageId": message_id, "Timestamp": 1_795_000_000.0, **body, **words}


def notice_sent(message_id: str) -> Fact:
    return Fact(
        practice="riverbend",
        client="ana",
        item="NOTICE#n1#",
        version=1,
        kind=FactKind.NOTICE_SENT,
        at=SENT_AT,
        actor="system",
        cause="n1",
        data={"notice": "invoice", "message_id": message_id},
    )


def test_a_mail_knows_why_to_whom_and_when_on_the_simulated_clock() -> None:
    (mail,) = join([message("m1")], [notice_sent("m1")])
    assert (mail.id, mail.kind, mail.client_id, mail.to) == ("m1", "invoice", "ana", "ana@mail.example")
    assert (mail.sent_at, mail.practice_id, mail.notice_id) == ("2026-11-22T17:00:00+00:00", "riverbend", "n1")


def test_the_newest_mail_comes_first() -> None:
    assert [mail.id for mail in join([message("m1"), message("m2")], [])] == ["m2", "m1"]


def test_links_are_absolute_unescaped_and_each_there_once() -> None:
    as_html = '<a href="http://127.0.0.1:8700/pay/x?a=1&amp;b=2">Pay</a> <a href="#top">Top</a>'
    as_text = "Pay: http://127.0.0.1:8700/pay/x?a=1&b=2\n<http://127.0.0.1:8700/pay/y>"
    (mail,) = join([message("m1", BodyHtml=as_html, BodyText=as_text)], [])
    assert mail.links == ["http://127.0.0.1:8700/pay/x?a=1&b=2", "http://127.0.0.1:8700/pay/y"]


def test_a_mail_whose_sender_crashed_is_shown_as_unclaimed() -> None:
    (mail,) = join([message("m1")], [notice_sent("another")])
    assert (mail.kind, mail.client_id) == ("", "")
    assert mail.sent_at == "2026-11-18T11:06:40+00:00"
