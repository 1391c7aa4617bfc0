"""E9004. A function may do what its own step needs, and leaves its own trace: a role shared by two functions gives each
the other's rights, and a log group that nobody declared keeps its lines for ever.
"""

from collections import Counter

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from infra.lint.reading import named_in, resources


class FunctionsHaveTheirOwn(CloudFormationLintRule):
    """Every function has a role and a log group of its own in this template; the log group says how long it keeps."""

    id = "E9004"
    shortdesc = "A role and a log group each"
    description = "Every function has its own role, and its own log group with a retention"
    tags = ["kindbill"]  # noqa: RUF012 - cfn-lint reads it so

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match per function and missing thing."""
        functions = list(resources(cfn, "AWS::Lambda::Function"))
        roles = dict(resources(cfn, "AWS::IAM::Role"))
        groups = dict(resources(cfn, "AWS::Logs::LogGroup"))
        role_of = {name: named_in(function.get("Role")) for name, function in functions}
        group_of = {name: named_in(function.get("LoggingConfig", {}).get("LogGroup")) for name, function in functions}
        used = Counter(role_of.values()) + Counter(group_of.values())
        matches = []
        for name, _ in functions:
            role, group = role_of[name], group_of[name]
            if role not in roles or used[role] > 1:
                matches.append(RuleMatch(["Resources", name], f"{name} has no role of its own in this template"))
            if group not in groups or used[group] > 1 or "RetentionInDays" not in groups[group]:
                sentence = f"{name} has no log group of its own with RetentionInDays"
                matches.append(RuleMatch(["Resources", name], sentence))
        return matches
