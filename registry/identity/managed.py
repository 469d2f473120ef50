"""The managed policies that exist from the start.

Source: guide, "AWS managed (predefined) policies for AWS CodeArtifact"; AdministratorAccess is the one of IAM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

PREFIX = "arn:aws:iam::aws:policy/"
ADMINISTRATOR = f"{PREFIX}AdministratorAccess"

_TOKENS = {
    "Effect": "Allow",
    "Action": "sts:GetServiceBearerToken",
    "Resource": "*",
    "Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
}


def _document(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


DOCUMENTS: Mapping[str, str] = {
    ADMINISTRATOR: _document({"Effect": "Allow", "Action": "*", "Resource": "*"}),
    f"{PREFIX}AWSCodeArtifactAdminAccess": _document(
        {"Action": ["codeartifact:*"], "Effect": "Allow", "Resource": "*"}, _TOKENS
    ),
    f"{PREFIX}AWSCodeArtifactReadOnlyAccess": _document(
        {
            "Action": [
                "codeartifact:Describe*",
                "codeartifact:Get*",
                "codeartifact:List*",
                "codeartifact:ReadFromRepository",
            ],
            "Effect": "Allow",
            "Resource": "*",
        },
        _TOKENS,
    ),
}
"""ARN -> document."""
