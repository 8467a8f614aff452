"""Parliament, a policy linter from PyPI, on our documents: it finds nothing but what is known of itself.

It judges identity policies and knows the actions of early 2025, so three things it says are not about us:
a trust policy has no Resource, a key policy has Resource "*", and s3:GetObjectAttributes is asked for on
access points only.
"""

import json
import subprocess

import pytest

from foreign.installed import installed
from policies.grants import demo_grant
from policies.mistakes import REFUSED
from s3haul.policies.documents import Part, documents

JUDGE = """
import json, sys, parliament
for line in sys.stdin:
    analyzed = parliament.analyze_policy_string(json.dumps(json.loads(line)))
    print(json.dumps([[finding.issue, json.dumps(finding.detail)] for finding in analyzed.findings]))
"""
OF_ITSELF = {
    Part.TRUST: [["MALFORMED", '"Statement contains neither Resource nor NotResource"']],
    Part.KEY: [["RESOURCE_STAR", '["kms:Decrypt"]']],
}


@pytest.fixture(scope="module")
def parliament():
    # It imports pkg_resources, which a new environment of Python 3.12 lacks and newer
    # setuptools no longer have.
    python = installed("parliament", "parliament==1.6.4 setuptools<81") / "python"

    def judge(*policies: dict) -> list[list[list[str]]]:
        lines = "".join(json.dumps(policy) + "\n" for policy in policies)
        done = subprocess.run([python, "-c", JUDGE], input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return judge


@pytest.mark.timeout(900)
def test_our_documents_pass_an_independent_linter(parliament):
    for grant in (
        demo_grant(),
        demo_grant(prefix="logs/", run_prefix="logs/1/", versions=True),
        demo_grant(key_arns=()),
    ):
        made = documents(grant)
        for part, findings in zip(made, parliament(*made.values()), strict=True):
            assert findings == OF_ITSELF.get(part, []), part


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("mistake", "issue"),
    [
        ("ListBucket on BUCKET/*", "RESOURCE_MISMATCH"),
        ("GetObject on the bucket", "RESOURCE_MISMATCH"),
        ("an alias in kms:Decrypt", "RESOURCE_MISMATCH"),
        ("ListObjectsV2 as a right", "UNKNOWN_ACTION"),
    ],
)
def test_the_independent_linter_finds_a_mistake(parliament, mistake, issue):
    (findings,) = parliament(REFUSED[mistake].document)
    assert issue in {finding[0] for finding in findings}
