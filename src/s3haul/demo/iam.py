"""The one call of IAM that explains a refused role: GetRole, with the trust policy as IAM stores it."""

import json
from collections.abc import Mapping
from urllib.parse import quote

from s3haul.demo.access import Caller, weigh_resource
from s3haul.demo.cloud import Cloud
from s3haul.demo.errors import CloudError, access_denied
from s3haul.demo.messages import Answer
from s3haul.demo.policy import Ask
from s3haul.demo.render import sts_document

_VERSION = "https://iam.amazonaws.com/doc/2010-05-08/"


def get_role(cloud: Cloud, caller: Caller, fields: Mapping[str, str]) -> Answer:
    """A role of the caller's own account, by its name without the path."""
    name = fields.get("RoleName", "")
    arn = f"arn:aws:iam::{caller.account}:role/{name}"
    denial = weigh_resource(caller, Ask("iam:GetRole", arn, {}), caller.account, None)
    if denial is not None:
        who = f"User: {caller.arn} is not authorized to perform: iam:GetRole"
        raise access_denied(f"{who} on resource: role {name} {denial.because('iam:GetRole')}")
    own = (role for role in cloud.roles.values() if role.account == caller.account)
    role = next((role for role in own if role.name.rpartition("/")[2] == name), None)
    if role is None:
        raise CloudError(404, "NoSuchEntity", f"The role with name {name} cannot be found.")
    found = {
        "RoleName": name,
        "RoleId": role.unique_id,
        "Arn": role.arn,
        "Path": "/",
        "CreateDate": "2024-01-01T00:00:00Z",
        "MaxSessionDuration": str(role.max_session),
        "AssumeRolePolicyDocument": quote(json.dumps(role.trust)),
    }
    return sts_document("GetRole", {"Role": found}, namespace=_VERSION)
