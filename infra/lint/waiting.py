"""E9005. A queue whose function has stopped, or cannot keep up, loses nothing and says nothing: every queue that
feeds a function has an alarm on how long its oldest message has been waiting.
"""

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from infra.lint.reading import alarmed_queues, named_in, resources

AGE = "ApproximateAgeOfOldestMessage"


class WaitingIsHeard(CloudFormationLintRule):
    """A queue that feeds a function has an alarm, with an action, on the age of its oldest message."""

    id = "E9005"
    shortdesc = "Waiting is heard"
    description = "Every queue that feeds a function has an alarm on the age of its oldest message"
    tags = ["kindbill"]  # noqa: RUF012 - cfn-lint reads it so

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match per queue whose messages may wait in silence."""
        triggers = resources(cfn, "AWS::Lambda::EventSourceMapping")
        feeding = {named_in(trigger.get("EventSourceArn")) for _, trigger in triggers}
        alarmed = alarmed_queues(cfn, AGE)
        return [
            RuleMatch(["Resources", name], f"{name} feeds a function, but no alarm with an action watches its {AGE}")
            for name, _ in resources(cfn, "AWS::SQS::Queue")
            if name in feeding - alarmed
        ]
