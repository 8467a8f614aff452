"""The recipes of `s3haul help cluster` are what Slurm, Kubernetes, AWS Batch and Ray take, as far as that can
be known without them, and their commands are commands of ours."""

import json
import re
import shlex
import shutil
import subprocess

import botocore.session
import kubernetes_validate
import pytest
import yaml
from botocore.validate import ParamValidator

from cluster.harness import description
from s3haul.cli.commands import load
from s3haul.cli.help_topics import topic_text
from s3haul.cluster.audit import Kind, Totals
from s3haul.cluster.merge import summary_of

TEXT = topic_text("cluster")


def block(info: str) -> str:
    (found,) = re.findall(rf"^```{info}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return found


def batch_input(operation: str):
    model = botocore.session.Session().get_service_model("batch")
    return model.operation_model(operation).input_shape


@pytest.mark.parametrize(
    ("info", "operation"),
    [("json aws-batch-definition", "RegisterJobDefinition"), ("json aws-batch-job", "SubmitJob")],
)
def test_the_requests_to_aws_batch_are_of_its_model(info, operation):
    request = json.loads(block(info))
    report = ParamValidator().validate(request, batch_input(operation))
    assert not report.has_errors(), report.generate_report()


def test_the_job_is_one_that_kubernetes_takes():
    job = yaml.safe_load(block("yaml kubernetes"))
    kubernetes_validate.validate(job, "1.31", strict=True)
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 64


def test_the_script_for_slurm_is_a_shell_script_whose_options_come_first():
    script = block("sh slurm")
    subprocess.run([shutil.which("sh"), "-n"], input=script, text=True, check=True)
    shebang, *options, command = script.splitlines()
    assert shebang.startswith("#!")
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", option) for option in options)
    assert "s3haul cluster shard" in command


def test_every_command_in_the_text_is_one_of_ours():
    group = load("cluster")
    lines = re.findall(r"s3haul cluster ([a-z]+(?: [^\n`'\"]*)?)", TEXT)
    assert len(lines) > 12
    for line in lines:
        name, *words = shlex.split(line)
        flags = {flag for param in group.commands[name].params for flag in param.opts}
        assert {word for word in words if word.startswith("--")} <= flags, line


def test_the_cluster_of_ray_has_the_parts_that_it_needs():
    config = yaml.safe_load(block("yaml ray"))
    assert config["head_node_type"] in config["available_node_types"]


def test_the_text_names_every_field_and_every_problem_of_a_merge():
    for name in (*summary_of(description(), Totals()), *Kind):
        assert re.search(rf"\b{name}\b", TEXT), name
