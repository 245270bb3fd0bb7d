"""The test study on a real SLURM, through everything that befalls a study on a cluster."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import safetensors.torch
import torch
import yaml
from conftest import ROOT, SNAKEMAKE, copy_workflow, snakemake
from slurm import Slurm, missing, wait_until

from farfield.study import cluster

PROFILE, CONFIG = ["--workflow-profile", "profiles/slurm"], ["--configfile", "part.yaml"]
# Intervals for jobs of seconds; on the command line group-components takes the place of the profile's.
BRISK = [
    *("--max-status-checks-per-second", "1", "--latency-wait", "10"),
    *("--group-components", "cell=2", "variants=1", "gaussian=2", "sets=1"),
]
# Snakemake as it is, but that its plugin asks SLURM every two seconds, and not 2, 12, 22, 32 … after the last news.
BRISK_SNAKEMAKE = f"""#!{sys.executable}
import asyncio
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
RemoteExecutor.sleep = lambda self: asyncio.sleep(2)
main()
"""
STARTED = []  # every process, so that none outlives the tests
SPEAKING = threading.Lock()  # held by who must be heard by SLURM
TABLES = ["table1", "table2", "table3", "table4", "table5", "paired", "noise", "gaussian"]
CELL, LOG = "results/test/models/unet/after/n64/seed0", "results/test/logs/train/unet/after/n64/seed0.log"
EPOCHS = 400  # ten seconds and more, in which a training can be cut off


@pytest.fixture(scope="module")
def slurm():
    """One for all tests; its folder's name is short, as sockets lie in it."""
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True) as folder:
        daemons = Slurm(Path(folder))
        try:
            (daemons.folder / "bin/snakemake").write_text(BRISK_SNAKEMAKE)
            (daemons.folder / "bin/snakemake").chmod(0o755)
            daemons.begin()
            yield daemons
        finally:
            for run in STARTED:
                run.kill()
                run.wait()
            daemons.stop()


def configure(path, **changes):
    """Write a config: the part of the test study that `TABLES` hold of one network and two recipes; and changes."""
    config = yaml.safe_load((ROOT / "config/test.yaml").read_text())
    kept = {"objectives": ("before", "after"), "baselines": ("hio-tuned",), "refined": ("after-refined",)}
    part = {key: {name: config[key][name] for name in names} for key, names in kept.items()}
    training = config["training"] | changes.pop("training", {})
    config |= {"networks": ["unet"], "tables": TABLES, "figures": ["error-against-size"], "training": training}
    path.write_text(yaml.safe_dump(config | part | changes, sort_keys=False))  # tables are in the config's order


def start(slurm, folder, *command):
    """Start snakemake, or a script that does, and let it write into a file."""
    with (folder / "printed").open("a") as printed:
        # Tests that were started in the background ignore Ctrl-C, and would hand that on.
        command = ["env", "--default-signal=INT", *command]
        run = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=printed, env=slurm.environment)
    run.folder = folder
    STARTED.append(run)
    return run


def submit(slurm, folder, *arguments, config=CONFIG):
    """Start a study as its user does."""
    return start(slurm, folder, "snakemake", *arguments, *PROFILE, *config, *BRISK)


def finish(process, folder, seconds=600):
    """Wait for a snakemake that ends well."""
    assert process.wait(seconds) == 0, (folder / "printed").read_text()[-6000:]


class Crowd(threading.Thread):
    """Notes the most jobs of a partition that ever ran at once."""

    def __init__(self, slurm, partition):
        super().__init__(daemon=True)
        self.slurm, self.partition, self.most, self.over = slurm, partition, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.5):
            self.most = max(self.most, len(self.slurm.jobs("RUNNING", partition=self.partition)))


def first_running(slurm, run, kind):
    """Wait for a running job of a kind, and give its number."""
    found = {}

    def look():
        assert run.poll() is None, (run.folder / "printed").read_text()[-6000:]
        jobs = slurm.jobs("RUNNING", folder=run.folder)
        found.update({number: comment for number, comment in jobs.items() if kind in comment})
        return found

    wait_until(look, f"no {kind} runs", 240)
    return next(iter(found))


@contextlib.contextmanager
def alone(run):
    """Let no other user speak to SLURM meanwhile."""
    with SPEAKING:
        others = [other for other in STARTED if other is not run and other.poll() is None]
        for other in others:
            other.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for other in others:
                other.send_signal(signal.SIGCONT)


def processes(folder):
    """Processes of a study, wherever on this machine SLURM has put them, and what each of them was called by."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # what has ended meanwhile
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found[process] = " ".join(process.cmdline())
    return found


def at_work(slurm, folder):
    """Jobs of a study that wait or run, and its processes; one that ended without slurmctld is long COMPLETING."""
    left = {process.pid: called for process, called in processes(folder).items()}
    return slurm.jobs("PENDING", "RUNNING", folder=folder) | left


def interrupt(slurm, run):
    """Press Ctrl-C while a cell runs, and tell what is left at work after it."""
    first_running(slurm, run, "cell")
    run.send_signal(signal.SIGINT)
    run.wait(240)  # the plugin ends when it would have asked again
    end = time.monotonic() + 60  # KillWait is 5, but a busy machine takes longer
    while (left := at_work(slurm, run.folder)) and time.monotonic() < end:
        time.sleep(1)
    return left


def disturb(slurm, folder):
    """A study, run by a user who meets with every accident; returns what was seen on the way."""
    seen = {}
    run = submit(slurm, folder)
    seen["cancelled"] = first_running(slurm, run, "cell")
    slurm.answer("scancel", seen["cancelled"])
    slurm.answer("scontrol", "requeue", first_running(slurm, run, "cell"))  # as a preemption does
    lost = first_running(slurm, run, "cell")
    slurm.fail("gpu1")
    wait_until(lambda: lost in slurm.jobs("PENDING"), "the job of a failed node is not back in the queue")
    slurm.start("gpu1")

    first_running(slurm, run, "cell")
    with alone(run):
        time.sleep(6)  # slurmctld writes down new jobs every five seconds, and would forget them (docs/cluster.md)
        slurm.kill("slurmctld")
        time.sleep(10)  # so that snakemake gets no answer
        slurm.start("slurmctld")
        wait_until(lambda: slurm.answer("squeue", "-h"), "slurmctld does not answer")

    for _ in range(2):  # a job that is just being submitted escapes Ctrl-C, seldom; `recover` would find it
        seen["after Ctrl-C"] = interrupt(slurm, run)
        if seen["after Ctrl-C"]:
            for number in slurm.jobs(folder=folder):
                slurm.answer("scancel", number)
            wait_until(lambda: not slurm.jobs("PENDING", "RUNNING", folder=folder), "cancelled jobs do not end", 120)
            for process in processes(folder):  # of a job whose Snakemake was told to end while it held its own lock
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        run = submit(slurm, folder)
        if not seen["after Ctrl-C"]:
            break
    first_running(slurm, run, "cell")
    run.kill()
    run.wait()
    time.sleep(1)
    seen["orphans"] = slurm.jobs(folder=folder)
    finish(start(slurm, folder, "profiles/slurm/recover", *CONFIG, *BRISK), folder)
    return seen


def find_training(folder):
    """Return the process of a folder's training, wherever on this machine SLURM has put it."""
    for process, called in processes(folder).items():
        if re.search(r"python\S* \S+train\.py$", called):
            return process
    raise AssertionError(f"no training runs in {folder}")


def crawl(process):
    """Let a process work a twentieth of the time, until its end: so it lasts a minute without a minute's work."""
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            process.suspend()
            time.sleep(0.2)
            process.resume()
            time.sleep(0.01)


def cut_off(slurm, folder, quiet):
    """A training that runs out of memory, then of time, and is cancelled after that; and, aside, one undisturbed."""
    undisturbed = start(slurm, quiet, *SNAKEMAKE, f"{CELL}/history.csv", *CONFIG)
    run = submit(
        *(slurm, folder, f"{CELL}/history.csv", "--set-resources", "train:slurm_partition=cpu"),
        *("train:mem_mb=300 if attempt == 1 else 3000", "train:runtime=1 if attempt == 2 else 10"),
        *("train:slurm_extra=''",),
    )
    log = folder / LOG

    def logged(words):
        assert run.poll() is None, (folder / "printed").read_text()[-6000:]
        return log.exists() and words in log.read_text()

    wait_until(lambda: "Trying to restart" in (folder / "printed").read_text(), "no training ran out of memory", 120)
    wait_until(lambda: logged(f"epoch 2/{EPOCHS}"), "no training began", 120)
    crawl(find_training(folder))
    wait_until(lambda: logged("resumed after"), "no training resumed", 120)
    time.sleep(1)
    with SPEAKING:
        slurm.answer("scancel", first_running(slurm, run, "train"))
    finish(run, folder)
    finish(undisturbed, quiet)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study as it runs on one machine."""
    folder = copy_workflow(tmp_path_factory.mktemp("undisturbed"))
    configure(folder / "part.yaml")
    snakemake(folder, config="part.yaml")
    return folder


@pytest.fixture(scope="module")
def accidents(slurm, undisturbed, tmp_path_factory):
    """Three users of one cluster, side by side, one of whom insists on a GPU."""
    names = ("disturbed", "cut-off", "quiet", "insisting")
    folder, long, quiet, insisting = (copy_workflow(tmp_path_factory.mktemp(name)) for name in names)
    configure(folder / "part.yaml", device="cuda-if-available")
    training = {"epochs": EPOCHS, "learning_rate_floor": 1.0e-30, "patience": 1000}
    for where, changes in ((long, {}), (quiet, {}), (insisting, {"device": "cuda"})):
        configure(where / "part.yaml", training=training, **changes)
        shutil.copytree(undisturbed / "results/test/data", where / "results/test/data")
    crowd = Crowd(slurm, "gpu")
    crowd.start()
    try:
        with ThreadPoolExecutor() as pool:
            cell = pool.submit(cut_off, slurm, long, quiet)
            refused = submit(slurm, insisting, f"{CELL}/history.csv", "--retries", "0")
            seen = disturb(slurm, folder)
            cell.result()
    finally:
        crowd.over.set()
        crowd.join()
    return SimpleNamespace(
        folder=folder, seen=seen, most=crowd.most, cut_off=long, quiet=quiet, insisting=insisting, refused=refused
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU, and the other study was made without")
def test_tables_are_those_of_an_undisturbed_run_on_one_machine(accidents, undisturbed):
    def table(folder, name):
        return pd.read_csv(folder / "results/test" / name, dtype=str).set_index("method")

    for name in TABLES:
        found, expected = (table(folder, f"tables/{name}.csv") for folder in (accidents.folder, undisturbed))
        measured = found.columns.drop("seconds", errors="ignore")
        pd.testing.assert_frame_equal(found[measured], expected[measured])
    assert {"unet", "hio-tuned", "zero"} < set(table(accidents.folder, "tables/table5.csv").index)
    conditioning = "results/test/data/conditioning.csv"
    assert (accidents.folder / conditioning).read_text() == (undisturbed / conditioning).read_text()


def test_accidents_were_accidents(accidents, slurm):
    assert accidents.seen["cancelled"] in slurm.jobs("CANCELLED")
    assert accidents.seen["orphans"]
    printed = (accidents.folder / "printed").read_text()
    assert "Trying to restart job" in printed
    assert "waiting for" in printed
    assert "Falling back to 'sacct'" not in printed  # which keeps no accounts here, and loses jobs


def test_ctrl_c_cancels_the_jobs(accidents):
    assert not accidents.seen["after Ctrl-C"]


def test_nothing_is_left_to_do(accidents, slurm):
    folder = accidents.folder
    before = len((slurm.folder / "calls").read_text().splitlines())
    finish(submit(slurm, folder), folder)
    assert "Nothing to be done" in (folder / "printed").read_text()[-500:]
    calls = (slurm.folder / "calls").read_text().splitlines()[before:]
    assert not [call for call in calls if call.startswith("sbatch")]


def test_jobs_go_to_their_partitions_and_one_gpu_serves_one_at_a_time(accidents, slurm):
    lines = (slurm.folder / "calls").read_text().splitlines()
    calls = [line for line in lines if "sbatch --parsable" in line and str(accidents.folder) in line]
    kinds = {re.search(r"--comment (rule_\w+)", call)[1]: call for call in calls}
    for kind, call in kinds.items():
        gpu_rules = ("train", "evaluate_network", "reconstruct", "gaussian")
        on_gpu = any(name in kind for name in gpu_rules)
        assert (" -p gpu " in call) == on_gpu, kind
        assert ("--gpus=1" in call or "--gpus 1" in call or "gpu:1" in call) == on_gpu, call[:800]
        assert " -t " in call
        assert " --mem " in call
    assert not [kind for kind in kinds if "table" in kind or "figure" in kind]
    assert any("simulate" in kind for kind in kinds)
    assert accidents.most == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_gpu_that_is_none_is_replaced_with_a_warning(accidents):
    log = accidents.folder / "results/test/logs/train/unet/after/n32/seed0.log"
    assert "found none (there is no NVIDIA driver); computing on the CPU" in log.read_text()


def test_a_training_goes_on_after_each_end_to_the_same_weights(accidents):
    log, printed = (accidents.cut_off / LOG).read_text(), (accidents.cut_off / "printed").read_text()
    assert printed.count("Trying to restart job") == 3
    assert "exceeded memory limit" in printed
    assert "DUE TO TIME LIMIT" in printed
    # Of the cancelled one: the one that crawls may be killed before it comes to say the same.
    assert "error: ended by signal 15" in printed
    ends = sorted({int(epoch) for epoch in re.findall(r"resumed after epoch (\d+)", printed + log)})
    assert len(ends) == 2
    assert 0 < ends[0] < ends[1] < EPOCHS
    cells = [folder / CELL for folder in (accidents.cut_off, accidents.quiet)]
    measured = ["epoch", "loss", "validation_sa_mse", "learning_rate"]
    histories = [pd.read_csv(cell / "history.csv", dtype=str)[measured] for cell in cells]
    pd.testing.assert_frame_equal(*histories)
    assert list(histories[0].epoch) == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    for name in ("final", "best"):
        tensors = [safetensors.torch.load_file(cell / f"{name}.safetensors") for cell in cells]
        assert all(tensors[0][key].equal(tensors[1][key]) for key in tensors[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_gpu_that_is_none_fails_a_study_that_insists_on_one(accidents):
    assert accidents.refused.wait(60) == 1
    assert "device: expected a CUDA GPU, found none" in (accidents.insisting / "printed").read_text()
    assert not (accidents.insisting / CELL / "history.csv").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"&gpu gpu ": "&gpu gpus "}, r"slurm_partition: expected one of cpu, gpu, got 'gpus'"),
        ({"&gpu gpu ": "&gpu cpu "}, r"gpu: expected at most the 0 of partition cpu, got 1; change slurm_partition"),
        ({"&gpu gpu ": "&gpu gpu\n    runtime: 600 "}, r"runtime: expected at most the 120 minutes of partition gpu"),
        (
            {"&gpu gpu ": "&gpu gpu\n    gpu: 0 "},
            r"train: gpu: the config says device: cuda, but the profile gives no",
        ),
    ],
)
def test_a_profile_that_does_not_suit_the_cluster_is_refused_before_the_first_job(slurm, tmp_path, changes, message):
    folder = copy_workflow(tmp_path)
    profile = folder / "profiles/slurm/config.yaml"
    text = profile.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    profile.write_text(text)
    calls = (slurm.folder / "calls").read_text()
    run = submit(slurm, folder, config=["--configfile", "config/test.yaml", "--config", "device=cuda"])
    assert run.wait(60) == 1
    assert re.search(message, (folder / "printed").read_text())
    assert "sbatch --parsable" not in (slurm.folder / "calls").read_text()[len(calls) :]


def test_a_node_that_is_down_is_waited_for(slurm, monkeypatch):
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment[name])
    job = cluster.Request("train", "gpu", None, (), lacks_gpu=False, gpus=1, minutes=60, mem_mb=4000, cpus=1)
    with pytest.raises(cluster.ClusterError, match=r"gpu: refused .* in partition gpu: .*Invalid feature"):
        cluster.check([job._replace(job="gpu", options=("--constraint=h200",))])
    slurm.answer("scontrol", "update", "nodename=gpu1", "state=down", "reason=test")
    try:
        cluster.check([job])
    finally:
        slurm.answer("scontrol", "update", "nodename=gpu1", "state=resume")
