"""E9003. A message that keeps failing must end where a person hears of it: every queue that feeds a function sets it
aside in a dead letter queue, and every dead letter queue has an alarm that calls somebody.
"""

from collections.abc import Mapping
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from infra.lint.reading import alarmed_queues, named_in, resources

VISIBLE = "ApproximateNumberOfMessagesVisible"


class DeadLettersAreHeard(CloudFormationLintRule):
    """A queue that feeds a function has a RedrivePolicy; one that feeds none is a dead letter queue with an alarm."""

    id = "E9003"
    shortdesc = "Dead letters are heard"
    description = "Every queue that feeds a function has a dead letter queue, and every dead letter queue an alarm"
    tags = ["kindbill"]  # noqa: RUF012 - cfn-lint reads it so

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match per queue that loses messages, or keeps them in silence."""
        triggers = resources(cfn, "AWS::Lambda::EventSourceMapping")
        feeding = {named_in(trigger.get("EventSourceArn")) for _, trigger in triggers}
        alarmed = alarmed_queues(cfn, VISIBLE)
        matches = []
        for name, queue in resources(cfn, "AWS::SQS::Queue"):
            if name in feeding and not _redrives(queue.get("RedrivePolicy")):
                sentence = f"{name} feeds a function, but has no RedrivePolicy: a poison message comes back for days"
                matches.append(RuleMatch(["Resources", name], sentence))
            if name not in feeding and name not in alarmed:
                sentence = f"{name} holds dead letters, but no alarm with an action watches its {VISIBLE}"
                matches.append(RuleMatch(["Resources", name], sentence))
        return matches


def _redrives(policy: Any) -> bool:
    return isinstance(policy, Mapping) and bool(named_in(policy.get("deadLetterTargetArn")))
