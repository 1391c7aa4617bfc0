"""Mail: rendered once, kept without its link, sent with it, tagged with what a bounce needs."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from billing.notice import Letter, NoticeKind
from billing.ports import Refused, TryAgain
from edges import container
from edges.links import Links
from edges.mail_tags import from_tag, to_tag
from edges.mailer import PAY_LINK, SesMailer, blob_name
from edges.render import PAY_LINK as RENDERED_PAY_LINK
from tests.fakes.cloud import LocalCloud
from tests.fakes.stage import Stage

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LETTER = Letter(
    kind=NoticeKind.CHARGE_NOTICE,
    practice="elm_street",
    client="ana",
    link_epoch=3,
    to="ana@example.com",
    client_name="Ana Ruiz",
    practice_name="Elm Street Therapy",
    practice_phone="+13035550100",
    time_zone="America/Denver",
    amount=62_50,
    card="Visa ending 4242",
    moment=NOON + timedelta(hours=48),
)
LINKS = Links(b"link-secret", "https://pay.example")


@pytest.fixture
def mailer(stage: Stage) -> SesMailer:
    stage.client("sesv2").create_email_identity(EmailIdentity="kindbill.example")
    return container.mailer()


def sent_mail(cloud: LocalCloud, message_id: str) -> dict[str, Any]:
    """A mail in MiniStack's mailbox."""
    address = urlsplit(cloud.url)
    with closing(HTTPConnection(address.hostname or "", address.port)) as connection:
        connection.request("GET", "/_ministack/ses/messages")
        by_account: dict[str, list[dict[str, Any]]] = json.loads(connection.getresponse().read())["messages"]
    (mail,) = (mail for mails in by_account.values() for mail in mails if mail["MessageId"] == message_id)
    return mail


def kept_words(stage: Stage, notice_id: str) -> dict[str, str]:
    name = blob_name("elm_street", "ana", notice_id)
    body = stage.client("s3").get_object(Bucket=stage.bucket, Key=name)["Body"].read()
    words: dict[str, str] = json.loads(body)
    return words


def test_a_mail_is_sent_with_its_link_and_kept_without_it(stage: Stage, mailer: SesMailer, cloud: LocalCloud) -> None:
    message_id = mailer.deliver("notice_link", LETTER)
    mail = sent_mail(cloud, message_id)
    link = LINKS.url(LINKS.token("elm_street", "ana", 3, NOON))
    for body in (mail["BodyHtml"], mail["BodyText"]):
        assert link in body
        assert PAY_LINK not in body
    assert mail["To"] == ["ana@example.com"]
    words = kept_words(stage, "notice_link")
    assert set(words) == {"subject", "html", "text"}
    assert PAY_LINK in words["html"]
    assert PAY_LINK in words["text"]
    assert "pay.example" not in json.dumps(words)


def test_a_repetition_sends_the_words_that_were_kept(stage: Stage, mailer: SesMailer, cloud: LocalCloud) -> None:
    mailer.deliver("notice_twice", LETTER)
    first = kept_words(stage, "notice_twice")
    again = mailer.deliver("notice_twice", replace(LETTER, amount=99_99))
    assert kept_words(stage, "notice_twice") == first
    text = sent_mail(cloud, again)["BodyText"]
    assert "62.50" in text
    assert "99.99" not in text


def test_a_later_repetition_carries_a_link_issued_then(stage: Stage, mailer: SesMailer, cloud: LocalCloud) -> None:
    mailer.deliver("notice_later", LETTER)
    stage.set_clock("2026-12-20T12:00:00Z")
    again = mailer.deliver("notice_later", LETTER)
    issued_then = LINKS.token("elm_street", "ana", 3, NOON + timedelta(days=30))
    assert issued_then in sent_mail(cloud, again)["BodyText"]


class Ses:
    """An SES that answers as told and remembers what it was asked."""

    def __init__(self, error: tuple[str, int] | None = None) -> None:
        self.error = error
        self.asked: dict[str, Any] = {}

    def send_email(self, **asked: Any) -> dict[str, str]:
        self.asked = asked
        if self.error:
            code, status = self.error
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "SendEmail")  # type: ignore[typeddict-item]
        return {"MessageId": "message-1"}


@pytest.fixture
def through(stage: Stage) -> Callable[[Ses], SesMailer]:
    def made(ses: Ses) -> SesMailer:
        return SesMailer(ses, stage.client("s3"), stage.bucket, "from@x.example", "set", LINKS, lambda: NOON)  # type: ignore[arg-type]

    return made


def test_the_tags_name_practice_client_notice_and_kind(through: Callable[[Ses], SesMailer]) -> None:
    ses = Ses()
    assert through(ses).deliver("2026-11-20#1", LETTER) == "message-1"
    tags = {tag["Name"]: tag["Value"] for tag in ses.asked["EmailTags"]}
    assert {name: from_tag(value) for name, value in tags.items()} == {
        "practice": "elm_street",
        "client": "ana",
        "notice": "2026-11-20#1",
        "kind": "charge_notice",
    }
    assert ses.asked["ConfigurationSetName"] == "set"
    assert ses.asked["Destination"] == {"ToAddresses": ["ana@example.com"]}


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (("TooManyRequestsException", 429), TryAgain),
        (("LimitExceededException", 400), TryAgain),
        (("InternalServerError", 500), TryAgain),
        (("MessageRejected", 400), Refused),
        (("BadRequestException", 400), Refused),
        (("AccountSuspendedException", 400), ClientError),
        (("MailFromDomainNotVerifiedException", 400), ClientError),
    ],
)
def test_what_ses_says_becomes_what_to_do_next(
    through: Callable[[Ses], SesMailer], error: tuple[str, int], becomes: type[Exception]
) -> None:
    with pytest.raises(becomes) as raised:
        through(Ses(error)).deliver("notice_1", LETTER)
    if isinstance(raised.value, Refused):
        assert raised.value.code == "mail_refused"
        assert "example.com" not in raised.value.detail


@given(st.text(max_size=40))
def test_any_id_fits_into_a_tag_and_reads_back(text: str) -> None:
    tag = to_tag(text)
    assert from_tag(tag) == text
    assert set(tag) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def test_the_words_of_one_client_lie_together_and_no_id_leaves_its_place() -> None:
    assert blob_name("elm", "ana", "n1") == "mail/elm/ana/n1.json"
    assert blob_name("elm", "../ben", "a/b").count("/") == 3


def test_the_placeholder_is_the_one_that_letters_are_rendered_with() -> None:
    assert PAY_LINK == RENDERED_PAY_LINK
