"""What a cluster could never run is refused before the first job, with the line to change."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from farfield.study import cluster

SINFO = """cpu*|1-00:00:00|8000|4|(null)|idle
cpu*|1-00:00:00|16000|8|(null)|mixed-
gpu|2:00:00|64000+|16|gpu:a100:4(S:0-1)|allocated
old|infinite|4000|2|(null)|drained
old|infinite|4000|2|(null)|idle~
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A cluster that answers as SLURM would; what `sbatch` is asked lies in a file."""

    def program(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    (tmp_path / "partitions").write_text(SINFO)
    program("sinfo", f"/bin/cat {tmp_path}/partitions")
    program("sbatch", f'echo "$@" >> {tmp_path}/asked')
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def request(**changes):
    good = cluster.Request("train", "gpu", None, (), lacks_gpu=False, minutes=60, mem_mb=4000, cpus=1, gpus=1)
    return good._replace(**changes)


def test_partitions_are_read_as_slurm_prints_them(slurm):
    limits, default = cluster.read_partitions()
    assert default == "cpu"
    assert limits == {
        "cpu": (1440, 16000, 8, 0, set()),
        "gpu": (120, 64000, 16, 4, set()),
        "old": (float("inf"), 4000, 2, 0, {(4000, 2, 0)}),
    }


@pytest.mark.parametrize(
    ("storage", "kept"),
    [("accounting_storage/slurmdbd", True), ("accounting_storage/none", False), ("(null)", False)],
)
def test_accounts_are_asked_for(slurm, storage, kept):
    slurm("scontrol", f"echo 'AccountingStorageTRES   = cpu'; echo 'AccountingStorageType   = {storage}'")
    assert cluster.keeps_accounts() == kept
    slurm("scontrol", 'echo "slurm_load_ctl_conf error: Unable to contact slurm controller" >&2; exit 1')
    with pytest.raises(cluster.ClusterError, match="scontrol says: slurm_load_ctl_conf error: Unable to contact"):
        cluster.keeps_accounts()


def test_what_fits_is_asked_of_slurm_once_for_each_kind_of_job(slurm, tmp_path):
    longest = request(minutes=90, options=("--qos=long",))
    cluster.check([request(options=longest.options), longest, request(job="simulate", partition=None, gpus=0)])
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        "--test-only --time=90 --mem=4000 --cpus-per-task=1 --partition=gpu --gpus=1 --qos=long --wrap=true",
        "--test-only --time=60 --mem=4000 --cpus-per-task=1 --wrap=true",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partition": "gpus"}, "train: slurm_partition: expected one of cpu, gpu, old, got 'gpus'"),
        ({"partition": "cpu"}, "train: gpu: expected at most the 0 of partition cpu, got 1; change slurm_partition"),
        ({"gpus": 0, "lacks_gpu": True}, "train: gpu: the config says device: cuda, but the profile gives none"),
        ({"minutes": 600}, "train: runtime: expected at most the 120 minutes of partition gpu, got 600"),
        ({"mem_mb": 70_000}, "train: mem_mb: expected at most the 64000 of a node of partition gpu, got 70000"),
        ({"cpus": 20}, "train: threads: expected at most the 16 of partition gpu, got 20"),
    ],
)
def test_what_no_node_could_run_is_refused(slurm, changes, message):
    with pytest.raises(cluster.ClusterError) as error:
        cluster.check([request(), request(**changes)])
    assert str(error.value).startswith(message)
    assert len(str(error.value).splitlines()) == 1


def test_a_job_may_name_several_partitions_or_none_and_options_of_the_site(slurm, tmp_path):
    cluster.check([request(partition="gpu,cpu", minutes=600, options=("--qos=long",))])
    assert "--partition=gpu,cpu --gpus=1 --qos=long" in (tmp_path / "asked").read_text()
    (tmp_path / "partitions").write_text(SINFO.replace("cpu*", "cpu"))
    cluster.check([request(partition=None)])
    with pytest.raises(cluster.ClusterError, match="slurm_partition: expected one of cpu, gpu, old, got 'cpus'"):
        cluster.check([request(partition="gpu,cpus")])


def test_next_attempts_may_ask_for_what_is_left(slurm):
    assert cluster.check([request(minutes=80, mem_mb=6400), request(minutes=60, mem_mb=32_000)]) == (1.5, 2.0)
    assert cluster.check([]) == (1.0, 1.0)


def test_an_account_that_slurm_refuses_is_named(slurm):
    slurm("sbatch", 'echo "sbatch: error: Invalid account or account/partition combination specified" >&2; exit 1')
    with pytest.raises(
        cluster.ClusterError, match=r"^\w+: refused with account \(none\) in partition gpu: .*Invalid account[^\n]+$"
    ):
        cluster.check([request(), request(job="gaussian", minutes=5)])


@pytest.mark.parametrize("state", ["down", "drained", "unknown", "idle*"])
def test_a_node_that_is_away_is_waited_for_and_one_that_is_there_is_not(slurm, tmp_path, state):
    slurm("sbatch", 'echo "allocation failure: Requested node configuration is not available" >&2; exit 1')
    with pytest.raises(cluster.ClusterError, match="node configuration is not available"):
        cluster.check([request()])
    (tmp_path / "partitions").write_text(SINFO.replace("allocated", state))
    cluster.check([request()])
    cluster.check([request(partition="cpu,gpu")])
    with pytest.raises(cluster.ClusterError, match=r"mem_mb: expected at most the 64000"):
        cluster.check([request(mem_mb=70_000)])
    with pytest.raises(cluster.ClusterError, match="node configuration is not available"):
        cluster.check([request(partition="cpu", gpus=0)])


def test_a_machine_without_slurm_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(cluster.ClusterError, match="expected SLURM's sinfo on this machine, found none"):
        cluster.check([request()])


def test_a_cluster_that_does_not_answer_is_told_so(slurm):
    slurm("sinfo", 'echo "slurm_load_partitions: Unable to contact slurm controller" >&2; exit 1')
    with pytest.raises(cluster.ClusterError, match="sinfo says: slurm_load_partitions: Unable to contact"):
        cluster.check([request()])


@pytest.mark.skipif(not shutil.which("pgrep"), reason="needs pgrep")
@pytest.mark.parametrize("through", ["folder", "link"])
def test_recover_sees_a_snakemake_that_runs_also_through_a_link(tmp_path, through):
    """As home leads to scratch on many clusters: /proc tells the folder itself."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    stand_in = ["bash", "-c", "exec -a 'snakemake --workflow-profile profiles/slurm' sleep 60"]
    running = subprocess.Popen(stand_in, cwd=tmp_path / "folder", env={"PATH": os.environ["PATH"]})
    recover = Path(__file__).parents[2] / "profiles/slurm/recover"
    try:
        time.sleep(0.2)
        here = tmp_path / through
        told = subprocess.run(
            ["bash", "-c", f"cd {here} && exec {recover}"], capture_output=True, text=True, check=False, timeout=30
        )
    finally:
        running.kill()
        running.wait()
    assert told.returncode == 1
    assert f"expected no snakemake in {tmp_path}/folder, found process {running.pid}" in told.stderr
