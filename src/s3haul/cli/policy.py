"""`s3haul policy` prints the policies of both accounts; `s3haul policy lint` checks existing policies.

Converts flags to a grant, and prints the documents that `s3haul.policies` builds; reads the files of `lint`,
and prints what its rules find.
"""

import json as jsonlib
import secrets
import shlex
import sys
from collections.abc import Collection, Iterable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.cli import flags, streams
from s3haul.core.text import show
from s3haul.errors import UsageError
from s3haul.policies.documents import Document, Grant, Part, check_grant, compact, documents
from s3haul.policies.names import Arn, caller_arn, check_account, check_region, role_arn
from s3haul.policies.statements import Finding

EPILOG = """\b
Examples:
  s3haul policy --role-arn arn:aws:iam::111111111111:role/export-role --bucket BUCKET \\
    --caller arn:aws:iam::222222222222:user/user-b --new-external-id \\
    --key-arn arn:aws:kms:us-east-1:111111111111:key/KEY-ID
  s3haul policy ... --format terraform > export.tf
  s3haul policy ... --format aws-cli
  s3haul policy ... --only permissions | aws iam put-role-policy --role-name export-role \\
    --policy-name s3haul-export --policy-document file:///dev/stdin
  s3haul policy lint trust.json permissions.json
"""
LINT_EPILOG = """\b
Examples:
  s3haul policy lint trust.json permissions.json key-policy.json
  aws iam get-role --role-name export-role | s3haul policy lint -
  aws kms get-key-policy --key-id KEY-ID --policy-name default | s3haul policy lint - --region us-east-1
"""

LARGEST = 1 << 20  # bytes of a file to check; IAM's largest policy has 10,240 characters


class Formats(StrEnum):
    """How the documents are written."""

    JSON = "json"
    TERRAFORM = "terraform"
    AWS_CLI = "aws-cli"


_WHO = "Who"
_WHAT = "What"
_OUT = "Output"

Role = Annotated[
    str | None,
    typer.Option(
        "--role-arn", "--role", help="The role's ARN, or its name with --account.", rich_help_panel=_WHO
    ),
]
Account = Annotated[
    str | None, typer.Option(metavar="ID", help="The data owner's account, 12 digits.", rich_help_panel=_WHO)
]
Callers = Annotated[
    list[str] | None,
    typer.Option(
        "--caller",
        metavar="ARN|ID",
        help="User or role that may assume the role, or a whole account. Repeatable.",
        rich_help_panel=_WHO,
    ),
]
NewExternalId = Annotated[
    bool, typer.Option("--new-external-id", help="Generate an External ID.", rich_help_panel=_WHO)
]
BucketName = Annotated[str | None, typer.Option("--bucket", help="The bucket's name.", rich_help_panel=_WHAT)]
Prefix = Annotated[str, typer.Option(help="Limit the role to this prefix.", rich_help_panel=_WHAT)]
RunPrefix = Annotated[
    str | None,
    typer.Option(help="Limit the session policy to this prefix.", rich_help_panel=_WHAT),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key-arn",
        metavar="ARN",
        help="KMS key of the objects, in any account. Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Versions = Annotated[
    bool, typer.Option("--versions", help="Allow old versions of objects, too.", rich_help_panel=_WHAT)
]
Attributes = Annotated[
    bool,
    typer.Option(
        "--attributes",
        help="Allow GetObjectAttributes, too: part checksums need fewer requests.",
        rich_help_panel=_WHAT,
    ),
]
Only = Annotated[Part | None, typer.Option(help="Print only this document.", rich_help_panel=_OUT)]
Format = Annotated[
    Formats, typer.Option("--format", help="How to write the documents.", rich_help_panel=_OUT)
]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommand to the application."""
    group = typer.Typer(rich_markup_mode=None)
    group.callback(invoke_without_command=True, epilog=EPILOG)(policy)
    group.command("lint", epilog=LINT_EPILOG)(lint)
    app.add_typer(group, name="policy")


def policy(
    context: typer.Context,
    *,
    role: Role = None,
    account: Account = None,
    caller: Callers = None,
    external_id: flags.ExternalId = None,
    new_external_id: NewExternalId = False,
    bucket: BucketName = None,
    prefix: Prefix = "",
    run_prefix: RunPrefix = None,
    key_arn: Keys = None,
    versions: Versions = False,
    attributes: Attributes = False,
    request_payer: flags.RequestPayer = None,
    only: Only = None,
    form: Format = Formats.JSON,
) -> int:
    """Print the policies that both accounts need, or check them (lint).

    The data owner needs trust (who may assume the role), permissions (what it may read) and key (one
    statement to add to the key policy); you need caller. session is an optional session policy, which limits
    one run. Sends nothing.
    """
    if context.invoked_subcommand is not None:
        return 0
    if role is None or bucket is None:
        raise UsageError("--role-arn and --bucket are required.", hint="s3haul policy --help has an example")
    if request_payer not in {None, "requester"}:
        raise UsageError("--request-payer takes one value: requester.")
    parts = _parts(only, form, key_arn)
    external_id = _external_id(external_id, parts, new=new_external_id)
    partition = _partition([role, *(key_arn or ())])
    grant = Grant(
        role_arn=role_arn(role, account, partition),
        bucket=bucket,
        callers=tuple(caller_arn(each, partition) for each in caller or ()),
        external_id=external_id or "",
        prefix=prefix,
        key_arns=tuple(key_arn or ()),
        versions=versions,
        attributes=attributes,
        run_prefix=run_prefix,
    )
    check_grant(grant, parts)
    chosen = {part: document for part, document in documents(grant).items() if part in parts}
    streams.print_line(
        _rendered(form, grant, chosen, alone=only is not None, request_payer=request_payer).rstrip()
    )
    if new_external_id:
        streams.print_message(
            "! The new External ID is in the trust document. Give it to the caller, and do not log it."
        )
    return 0


def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Policies as JSON; - is stdin.")],
    *,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="The role's account: callers in it need no External ID.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region, for key policies.")] = None,
    json: flags.Json = False,
) -> int:
    """Check policies for common mistakes: which error each causes in a run, who can fix it, and how.

    Takes policy documents, the output of s3haul policy, and that of aws iam get-role, aws iam get-role-policy
    and aws kms get-key-policy. Exit code 0: no mistakes found. 1: findings. 2: a file cannot be read.
    """
    from s3haul.policies.lint import documents_in, lint  # noqa: PLC0415 - start-up stays fast

    if account is not None:
        check_account(account)
    if region is not None:
        check_region(region)
    found = [
        (f"{shown} ({name})" if name else shown, finding)
        for shown, value in [("stdin" if file == "-" else file, _read(file)) for file in files]
        for name, document in documents_in(value)
        for finding in lint(document, account=account, region=region)
    ]
    if json:
        objects = [{"file": name, **asdict(finding)} for name, finding in found]
        streams.print_line(jsonlib.dumps({"schema": 1, "clean": not found, "findings": objects}))
    else:
        for name, finding in found:
            streams.print_line("\n".join(_finding_lines(name, finding)))
        streams.print_message(
            f"{len(found) or 'no'} finding{'' if len(found) == 1 else 's'} in {len(files)} file(s)"
        )
    return 1 if found else 0


def _parts(only: Part | None, form: Formats, key_arns: list[str] | None) -> tuple[Part, ...]:
    if only is Part.KEY and not key_arns:
        raise UsageError("The key document needs --key-arn.")
    if only is Part.SESSION and form is Formats.TERRAFORM:
        raise UsageError(
            "Terraform has no resource for a session policy.", hint="use --format json or aws-cli"
        )
    if only is not None:
        return (only,)
    # The script does not start a session, because that would print credentials.
    return tuple(Part) if form is Formats.JSON else tuple(part for part in Part if part is not Part.SESSION)


def _external_id(given: str | None, parts: Collection[Part], *, new: bool) -> str | None:
    """The External ID that is given, or a new random one."""
    if not new:
        if not given and Part.TRUST in parts:
            raise UsageError(
                "An External ID is required.", hint="--external-id, S3HAUL_EXTERNAL_ID, or --new-external-id"
            )
        return given
    if given:
        raise UsageError(
            "--new-external-id cannot be used with an External ID that is given (also by S3HAUL_EXTERNAL_ID)."
        )
    if Part.TRUST not in parts:
        raise UsageError("--new-external-id needs the trust document, because only that one shows it.")
    return secrets.token_urlsafe(24)


def _partition(texts: Iterable[str]) -> str:
    """The partition of the given ARNs; "aws" if there are none."""
    found = (Arn.parse(text) for text in texts)
    return next((arn.partition for arn in found if arn is not None), "aws")


def _rendered(
    form: Formats, grant: Grant, chosen: dict[Part, Document], *, alone: bool, request_payer: str | None
) -> str:
    from s3haul.policies.rendering import commands, terraform  # noqa: PLC0415 - start-up stays fast

    match form:
        case Formats.TERRAFORM:
            return terraform(grant, chosen)
        case Formats.AWS_CLI:
            return commands(grant, chosen) + ("" if alone else _next_steps(grant, request_payer))
        case Formats.JSON:
            if Part.SESSION in chosen and alone:
                return compact(chosen[Part.SESSION])  # STS counts whitespace
            whole = {part.value: document for part, document in chosen.items()}
            return jsonlib.dumps(next(iter(chosen.values())) if alone else whole, indent=2)


def _next_steps(grant: Grant, request_payer: str | None) -> str:
    payer = " --request-payer requester" if request_payer else ""
    return (
        "\n# Then the caller, with the External ID in the environment variable S3HAUL_EXTERNAL_ID:\n"
        f"#   s3haul configure --profile export --role-arn {grant.role_arn} --source-profile PROFILE\n"
        f"#   s3haul cp {shlex.quote(f's3://{grant.bucket}/{grant.prefix}')} ./data --profile export --recursive{payer}\n"
    )


def _read(file: str) -> Any:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise UsageError(f"{file} is too large for a policy.")
    try:
        return jsonlib.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}.") from error


def _finding_lines(name: str, finding: Finding) -> list[str]:
    ids = f"{finding.rule}, {finding.diagnosis}" if finding.diagnosis else finding.rule
    where = f"statement {show(finding.statement)}: " if finding.statement else ""
    lines = [
        f"x {show(name)}: {where}{show(finding.text)}   [{ids}]",
        f"  AWS will say: {finding.said}",
        f"  Who fixes it: {finding.who.upper()}",
    ]
    for statement in finding.corrected:
        text = jsonlib.dumps(statement, indent=2).replace("\n", "\n    ")
        lines += [
            "  Fix: replace it by this" if statement is finding.corrected[0] else "  and",
            f"    {text}",
        ]
    if finding.diagnosis:
        lines.append(f"  More: s3haul help {finding.diagnosis}")
    return lines
