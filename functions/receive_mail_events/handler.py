"""SNS topic of mail trouble -> facts. Raising makes SNS send the report again; what stays unhandled is set aside."""

from collections.abc import Mapping
from typing import Any

from billing.ports import TryAgain
from edges import container, deadline, log
from functions.receive_mail_events.flow import run
from functions.receive_mail_events.report import reports_of


def handler(event: Mapping[str, Any], context: object) -> None:
    """Take in every report of an SNS event."""
    deadline.works(context)
    for report in reports_of(event):
        if report is None:
            log.info("mail report about no mail of ours")
            continue
        try:
            noted = run(report, store=container.store(), now=container.clock().now())
        except TryAgain as passing:
            log.warning("mail report not yet noted", notice_id=report.notice_id, **log.about(passing))
            raise
        except Exception as failure:
            log.error("mail report not noted", trouble=report.trouble, notice_id=report.notice_id, **log.about(failure))
            raise
        log.info("mail report", trouble=report.trouble, notice_id=report.notice_id, noted=noted)
