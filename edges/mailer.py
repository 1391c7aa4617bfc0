"""Mail through SES: billing.ports.Mailer.

A letter is rendered once and its words kept under the notice's id, with a placeholder where the pay link stands: what
a client was told can be shown again, and no kept mail opens anything. A repetition sends the kept words, so a client
who gets a mail twice gets the same mail twice.

Tags (edges/mail_tags.py) tell receive_mail_events what bounced.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from botocore.exceptions import ClientError

from billing.notice import Letter
from billing.ports import Refused, TryAgain
from edges.aws import code_of, passing_faults
from edges.links import Links
from edges.mail_tags import to_tag

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sesv2 import SESV2Client

PAY_LINK: Final = "{{PAY_LINK}}"
REFUSALS: Final = frozenset({"MessageRejected", "BadRequestException"})
"""SES looked at the mail and will never take it: an address or a content it refuses."""


class SesMailer:
    """`clock` says when a link is issued: its 90 days count from when the mail leaves."""

    def __init__(
        self,
        ses: "SESV2Client",
        s3: "S3Client",
        bucket: str,
        mail_from: str,
        configuration_set: str,
        links: Links,
        clock: Callable[[], datetime],
    ) -> None:
        self._ses = ses
        self._s3 = s3
        self._bucket = bucket
        self._mail_from = mail_from
        self._configuration_set = configuration_set
        self._links = links
        self._clock = clock

    def deliver(self, notice_id: str, letter: Letter) -> str:
        """Render once, send, and return SES's message id. Raises TryAgain when SES is busy, Refused `mail_refused` when
        it will never take this mail."""
        words = self._words(notice_id, letter)
        token = self._links.token(letter.practice, letter.client, letter.link_epoch, self._clock())
        link = self._links.url(token)
        try:
            with passing_faults():
                answer = self._ses.send_email(
                    FromEmailAddress=self._mail_from,
                    Destination={"ToAddresses": [letter.to]},
                    Content={
                        "Simple": {
                            "Subject": {"Data": words["subject"], "Charset": "UTF-8"},
                            "Body": {
                                "Html": {"Data": words["html"].replace(PAY_LINK, link), "Charset": "UTF-8"},
                                "Text": {"Data": words["text"].replace(PAY_LINK, link), "Charset": "UTF-8"},
                            },
                        }
                    },
                    EmailTags=[
                        {"Name": "practice", "Value": to_tag(letter.practice)},
                        {"Name": "client", "Value": to_tag(letter.client)},
                        {"Name": "notice", "Value": to_tag(notice_id)},
                        {"Name": "kind", "Value": to_tag(letter.kind)},
                    ],
                    ConfigurationSetName=self._configuration_set,
                )
        except ClientError as error:
            if code_of(error) in REFUSALS:
                raise Refused("mail_refused", f"The mail service refuses notice {notice_id}.") from error
            raise
        return answer["MessageId"]

    def _words(self, notice_id: str, letter: Letter) -> dict[str, Any]:
        """The letter in words: as it was first rendered, whoever rendered it."""
        from edges.render import render_letter  # Jinja costs a cold start; a container that never sends does without

        name = blob_name(letter.practice, letter.client, notice_id)
        words = asdict(render_letter(letter))
        try:
            with passing_faults():
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=json.dumps(words, ensure_ascii=False).encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
        except ClientError as error:
            if code_of(error) == "ConditionalRequestConflict":
                raise TryAgain(f"notice {notice_id} is being written by another worker") from error
            if code_of(error) != "PreconditionFailed":
                raise
            with passing_faults():
                kept = self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            words = json.loads(kept)
        return words


def blob_name(practice: str, client: str, notice_id: str) -> str:
    """Where a mail's words are kept: by client, so that what was written to one person can be found and erased."""
    return "/".join(("mail", *(quote(part, safe="") for part in (practice, client, notice_id)))) + ".json"
