"""Tells the system that a mail bounced, the way SES would: an event on the topic that the configuration set names.
MiniStack accepts that configuration and then never sends an event.

Source: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import json
import time
from typing import Final

from edges.mail_tags import to_tag
from infra.local.cloud import Cloud
from infra.local.mailbox import Mail

TAKEN_WITHIN_S: Final = 15.0


def report(cloud: Cloud, mail: Mail) -> None:
    """Publish the bounce and return once receive_mail_events has run: SNS calls it by itself, and nothing that counts
    messages would show that it is on its way."""
    since_ms = int(time.time() * 1000)
    cloud.sns.publish(TopicArn=cloud.outputs["MailEventsArn"], Message=json.dumps(_event(mail)))
    group = f"/aws/lambda/kindbill-{cloud.stage}-receive_mail_events"
    give_up = time.monotonic() + TAKEN_WITHIN_S
    while time.monotonic() < give_up:
        lines = cloud.logs.filter_log_events(logGroupName=group, startTime=since_ms)["events"]
        if any(line["message"].startswith("REPORT ") for line in lines):
            return
        time.sleep(0.05)


def _event(mail: Mail) -> dict[str, object]:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return {
        "eventType": "Bounce",
        "bounce": {
            "feedbackId": f"feedback-{mail.id}",
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {"emailAddress": mail.to, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}
            ],
            "timestamp": at,
            "reportingMTA": "dsn; mail.kindbill.example",
        },
        "mail": {
            "timestamp": at,
            "source": "billing@kindbill.example",
            "messageId": mail.id,
            "destination": [mail.to],
            "headersTruncated": False,
            "tags": {
                "ses:configuration-set": ["kindbill-local"],
                "practice": [to_tag(mail.practice_id)],
                "client": [to_tag(mail.client_id)],
                "notice": [to_tag(mail.notice_id)],
                "kind": [to_tag(mail.kind)],
            },
        },
    }
