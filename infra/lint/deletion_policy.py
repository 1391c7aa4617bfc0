"""E9001. CloudFormation takes an intrinsic function in DeletionPolicy only under AWS::LanguageExtensions; without it a
deployment fails that every other check let pass."""

from collections.abc import Mapping

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

EXTENSIONS = "AWS::LanguageExtensions"
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


class DeletionPolicyIsPlain(CloudFormationLintRule):
    """DeletionPolicy and UpdateReplacePolicy are plain words unless the template says AWS::LanguageExtensions."""

    id = "E9001"
    shortdesc = "DeletionPolicy is a plain word"
    description = "An intrinsic function in DeletionPolicy needs the transform AWS::LanguageExtensions"
    tags = ["kindbill"]  # noqa: RUF012 - cfn-lint reads it so

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match per policy that is no plain word."""
        transforms = cfn.template.get("Transform", [])
        if EXTENSIONS in ([transforms] if isinstance(transforms, str) else transforms):
            return []
        return [
            RuleMatch(["Resources", name, policy], f"{policy} of {name} needs the transform {EXTENSIONS}")
            for name, resource in cfn.get_resources().items()
            for policy in POLICIES
            if isinstance(resource.get(policy), Mapping)
        ]
