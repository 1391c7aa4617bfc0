"""What is told of a file that is too large to be posted, before it is uploaded."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class UploadIn(BaseModel):
    """Body of `POST /v1/claim-results/uploads`. `bytes`: the file's size, which S3 then holds the upload to."""

    # Not the base of other requests: that brings tables of phone numbers, and claim results come in without.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    content_type: Literal["application/edi-x12", "application/json", "application/fhir+json"] = "application/edi-x12"
    bytes: Annotated[int, Field(ge=1)] | None = None
