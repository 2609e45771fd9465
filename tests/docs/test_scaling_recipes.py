"""Recipes of the guide to several machines: manifest, script and variables, as they are printed."""

import os
import re
import subprocess
from pathlib import Path

import yaml
from absl import flags
from conftest import REPOSITORY

from cyclegan_vc_tf.cli import prepare, train
from cyclegan_vc_tf.training import cluster

GUIDE = (REPOSITORY / "docs/guides/scaling.md").read_text()

KUBERNETES = "1.37"


def blocks(language: str) -> list[str]:
    """Code of the guide in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def assert_flags_exist(command: str) -> None:
    """Parse the flags of a command line, as train.py does."""
    values = flags.FlagValues()
    train.define(values)
    values(["train.py", *re.findall(r"--[a-z_]+=\S+", command.partition("train ")[2] or command)])
    assert values.strategy == "multi_worker"


def manifests() -> list[dict]:
    """Objects of the manifest."""
    (text,) = blocks("yaml")
    return list(yaml.safe_load_all(text))


def test_the_manifest_is_valid() -> None:
    """The package holds the schemas that Kubernetes publishes."""
    import kubernetes_validate

    objects = manifests()
    assert [each["kind"] for each in objects] == ["Service", "Job"]
    for each in objects:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_the_pods_find_each_other() -> None:
    """Pods of an Indexed Job are named JOB-INDEX in the domain of the headless service."""
    service, job = manifests()
    pod = job["spec"]["template"]["spec"]
    name, count = job["metadata"]["name"], job["spec"]["completions"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    port = service["spec"]["ports"][0]["port"]
    (container,) = pod["containers"]
    (script,) = container["args"]
    exported, command = script.split("exec ")
    for index in range(count):
        variables = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
        done = subprocess.run(
            ["sh", "-c", exported + 'printf %s "$TF_CONFIG"'],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        found = cluster.parse_tf_config(done.stdout)
        expected = tuple(f"{name}-{number}.{pod['subdomain']}:{port}" for number in range(count))
        assert found == cluster.Cluster(expected, index)
    assert_flags_exist(command)


def test_two_terminals_are_two_workers() -> None:
    terminals = re.findall(r"export TF_CONFIG='(\{.*\})'\n(python train.py .*)", GUIDE)
    found = [cluster.parse_tf_config(config) for config, _ in terminals]
    assert [each.index for each in found] == [0, 1]
    assert found[0].workers == found[1].workers == ("localhost:2222", "localhost:2223")
    for _, command in terminals:
        assert_flags_exist(command)


def test_the_slurm_script_starts_one_task_after_the_other(tmp_path: Path) -> None:
    """A stand-in for srun fails once; the script goes on with the next attempt."""
    script, _ = blocks("bash")
    calls = tmp_path / "calls"
    (tmp_path / "srun").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n[ $(wc -l < {calls}) = 2 ]\n')
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    for name in ("srun", "sleep"):
        (tmp_path / name).chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script], env=variables, check=True)
    first, second = calls.read_text().splitlines()
    assert first == second
    assert first.startswith("--distribution=block --kill-on-bad-exit=1 python train.py --preset=")
    assert_flags_exist(first.partition("python train.py")[2])
    assert all(line.startswith(("#", "#SBATCH --")) for line in script.splitlines()[:8])


def test_the_slurm_script_prepares_with_a_scheduler_and_workers(tmp_path: Path) -> None:
    """Stand-ins for dask, srun and python write their arguments down."""
    _, script = blocks("bash")
    calls = tmp_path / "calls"
    for name in ("dask", "srun", "python"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\necho {name} "$@" >> {calls}\n'
            f"[ {name} = dask ] && echo {{}} > scheduler.json\n:\n"
        )
        (tmp_path / name).chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script + "wait\n"], cwd=tmp_path, env=variables, check=True)
    file = tmp_path / "scheduler.json"
    found = sorted(calls.read_text().splitlines())
    assert found[0] == f"dask scheduler --scheduler-file={file}"
    assert found[2] == f"srun dask worker --scheduler-file={file} --nthreads=1"
    command = found[1].removeprefix("python -m cyclegan_vc_tf prepare ")
    values = flags.FlagValues()
    prepare.define(values)
    values(["prepare", *command.split()])
    assert values.scheduler == str(file)
