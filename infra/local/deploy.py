"""Puts template.yaml, unchanged, on the local cloud: code to a bucket, then one stack. What `sam deploy` does on AWS
in 13 seconds of start-up and packaging, in one. It only ever meets an empty cloud (every start is clean), so there is
no update path to get wrong.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

ARTIFACTS = "kindbill-artifacts"
_CODE_URI = re.compile(r"(?m)^(\s*CodeUri:\s*)build/(\w+)/\s*$")


class DeployFailed(Exception):
    """The stack did not come up; the message names every resource that failed and why."""


def deploy(
    cloudformation: "CloudFormationClient",
    s3: "S3Client",
    *,
    template: Path,
    stack: str,
    zips: Mapping[str, bytes],
    parameters: Mapping[str, str],
    endpoint: str,
    going_on: Callable[[], bool],
) -> dict[str, str]:
    """Create the stack and return its outputs.

    `zips`: verb -> its code · `endpoint`: where the cloud reads the template from · `going_on`: asked between polls,
    False ends the wait. Raises DeployFailed.
    """
    s3.create_bucket(Bucket=ARTIFACTS)

    def uploaded(match: re.Match[str]) -> str:
        code = zips[match[2]]
        key = f"{match[2]}-{hashlib.sha256(code).hexdigest()[:16]}.zip"
        s3.put_object(Bucket=ARTIFACTS, Key=key, Body=code)
        return f"{match[1]}s3://{ARTIFACTS}/{key}"

    body = _CODE_URI.sub(uploaded, template.read_text("utf-8"))
    s3.put_object(Bucket=ARTIFACTS, Key="template.yaml", Body=body.encode())
    # By address, as it is above the 51,200 bytes that CloudFormation takes inline.
    cloudformation.create_stack(
        StackName=stack,
        TemplateURL=f"{endpoint}/{ARTIFACTS}/template.yaml",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    while going_on():
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if found["StackStatus"] == "CREATE_COMPLETE":
            return {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}
        if not found["StackStatus"].endswith("IN_PROGRESS"):
            raise DeployFailed(_why(cloudformation, stack, found.get("StackStatusReason", "")))
        time.sleep(0.05)
    raise DeployFailed("stopped while deploying")


def _why(cloudformation: "CloudFormationClient", stack: str, reason: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [
        f"  {e.get('LogicalResourceId')} ({e.get('ResourceType')}): {e.get('ResourceStatusReason')}"
        for e in reversed(events)
        if e.get("ResourceStatus", "").endswith("FAILED")
    ]
    return "\n".join([f"the stack {stack} did not come up: {reason}", *failed])
