"""E9002. A message must stay invisible while its batch is worked on, retries and throttling included, or it is worked
on twice at once. AWS asks for six times the function's time-out.

Source: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from infra.lint.reading import named_in, resources

TIMES = 6
DEFAULT_TIMEOUT_S = 3
DEFAULT_VISIBILITY_S = 30


class VisibilityOutlastsTheFunction(CloudFormationLintRule):
    """A queue's VisibilityTimeout is at least six times the time-out of the function that it feeds."""

    id = "E9002"
    shortdesc = "Visibility is 6 × the time-out"
    description = "A queue's VisibilityTimeout is at least six times the time-out of the function that it feeds"
    tags = ["kindbill"]  # noqa: RUF012 - cfn-lint reads it so

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match per trigger whose queue shows its messages again too soon."""
        functions = dict(resources(cfn, "AWS::Lambda::Function"))
        queues = dict(resources(cfn, "AWS::SQS::Queue"))
        matches = []
        for name, trigger in resources(cfn, "AWS::Lambda::EventSourceMapping"):
            queue, function = named_in(trigger.get("EventSourceArn")), named_in(trigger.get("FunctionName"))
            if queue not in queues or function not in functions:
                continue
            needed = TIMES * int(functions[function].get("Timeout", DEFAULT_TIMEOUT_S))
            given = int(queues[queue].get("VisibilityTimeout", DEFAULT_VISIBILITY_S))
            if given < needed:
                sentence = f"{queue} shows a message again after {given} s; {function} needs {needed} s"
                matches.append(RuleMatch(["Resources", name], sentence))
        return matches
