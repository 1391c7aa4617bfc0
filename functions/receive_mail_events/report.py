"""What SES tells about a mail, through SNS.
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edges.mail_tags import from_tag


class Trouble(StrEnum):
    """What became of the mail."""

    BOUNCED = "bounced"
    BOUNCED_FOR_NOW = "bounced_for_now"
    COMPLAINT = "complaint"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Report:
    """Trouble with one mail of ours. `recipients` are the addresses it is about, lower case."""

    trouble: Trouble
    practice: str
    client: str
    notice_id: str
    message_id: str
    recipients: frozenset[str] = frozenset()


def reports_of(event: Mapping[str, Any]) -> list[Report | None]:
    """The reports of an SNS event; None for each that is about no mail of ours, or about no trouble."""
    return [_report(json.loads(record["Sns"]["Message"])) for record in event["Records"]]


def _report(told: Mapping[str, Any]) -> Report | None:
    mail = told.get("mail", {})
    tags = {name: values[0] for name, values in mail.get("tags", {}).items() if values}
    trouble = _trouble(told)
    if trouble is None or not {"practice", "client", "notice"} <= tags.keys():
        return None
    return Report(
        trouble,
        practice=from_tag(tags["practice"]),
        client=from_tag(tags["client"]),
        notice_id=from_tag(tags["notice"]),
        message_id=mail.get("messageId", ""),
        recipients=frozenset(_addresses(told)),
    )


def _trouble(told: Mapping[str, Any]) -> Trouble | None:
    match told.get("eventType"):
        case "Bounce":
            # "Undetermined" is treated as SES treats it: the mail did not arrive, and may next time.
            return Trouble.BOUNCED if told["bounce"].get("bounceType") == "Permanent" else Trouble.BOUNCED_FOR_NOW
        case "Complaint":
            return Trouble.COMPLAINT
        case "Reject":
            return Trouble.REJECTED
        case _:
            return None


def _addresses(told: Mapping[str, Any]) -> list[str]:
    listed = told.get("bounce", {}).get("bouncedRecipients") or told.get("complaint", {}).get("complainedRecipients")
    return [one["emailAddress"].lower() for one in listed or []]
