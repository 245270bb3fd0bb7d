"""The workflow from elsewhere: by its own path, as a module, in paths with spaces, copied, and after a kill."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, SNAKEMAKE, copy_workflow, snakemake

SET = "results/test/data/validation.zarr"


def run(folder: Path, *arguments: str, fails: bool = False) -> str:
    told = subprocess.run([*SNAKEMAKE, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert (told.returncode != 0) == fails, (told.stdout + told.stderr)[-4000:]
    return told.stdout + told.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_workflow(tmp_path_factory.mktemp("checkout"))


def test_the_laptop_study_is_planned_from_wherever_the_workflow_is_called(checkout, tmp_path):
    main = checkout / "workflow/Snakefile"
    calls = [(checkout, "workflow/Snakefile"), (checkout / "workflow", "Snakefile"), (tmp_path, main)]
    calls += [(tmp_path, checkout / "Snakefile")]
    for folder, snakefile in calls:
        assert "results/laptop/tables/table5.csv" in run(folder, "-s", str(snakefile), "--dry-run"), folder


@pytest.mark.parametrize("with_source", [False, True])
@pytest.mark.parametrize("prefix", ["", "far"])
def test_it_is_a_module_of_another_workflow(checkout, tmp_path, with_source, prefix):
    if with_source:
        (tmp_path / "src").mkdir()
    config = yaml.safe_load((checkout / "config/test.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"phasing": config, "mine": 3}))
    (tmp_path / "Snakefile").write_text(
        f"""
configfile: "mine.yaml"

module farfield:
    snakefile: "{checkout}/workflow/Snakefile"
    config: config["phasing"]
    {f'prefix: "{prefix}"' if prefix else ""}

use rule * from farfield as farfield_*

rule whole:
    default_target: True
    input: rules.farfield_all.input
"""
    )
    assert "farfield_train " in run(tmp_path, "--dry-run")
    target = f"{prefix}/{SET}".lstrip("/")
    run(tmp_path, target)
    assert (tmp_path / target / "zarr.json").exists()


def test_a_module_without_a_config_is_told_where_to_start_from(checkout, tmp_path):
    lines = ["module farfield:", f'    snakefile: "{checkout}/workflow/Snakefile"', "use rule * from farfield", ""]
    (tmp_path / "Snakefile").write_text("\n".join(lines))
    printed = run(tmp_path, "--dry-run", fails=True)
    assert "got none; add a line `config: …` to it, and start from" in printed
    assert "config/config.yaml" in printed


def test_jobs_run_in_a_path_with_spaces(tmp_path):
    folder = tmp_path / "Lab data/far field"
    folder.mkdir(parents=True)
    snakemake(copy_workflow(folder), SET)
    assert (folder / SET / "zarr.json").exists()


def test_make_refuses_an_environment_that_snakemake_cannot_call_and_its_advice_helps(tmp_path):
    folder = tmp_path / "Lab data"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    told = subprocess.run(["make", "results"], cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "expected a path without spaces for the environment, got" in told.stdout
    assert not (folder / ".venv").exists()
    place = f"{tmp_path}/environment"
    assert f"name another place: make results VENV={os.environ.get('HOME', '/tmp')}/.farfield-venv" in told.stdout
    plan = subprocess.check_output(["make", "-n", "results", f"VENV={place}"], cwd=folder, text=True)
    assert f"{place}/bin/snakemake --cores all" in plan


def test_a_finished_study_that_is_copied_has_nothing_to_do(study, tmp_path):
    shutil.copytree(study, tmp_path / "copy", symlinks=True)
    assert "Nothing to be done" in snakemake(tmp_path / "copy", "--dry-run")


def unlock(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "workflow/unlock.py", "--configfile", "config/test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_after_a_kill_the_lock_goes_and_that_of_a_living_snakemake_stays(tmp_path):
    folder = copy_workflow(tmp_path)
    command = [*SNAKEMAKE, "--configfile", "config/test.yaml"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, process_group=0, **quiet)
    deadline = time.monotonic() + 60
    while not list((folder / ".snakemake/locks").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        told = unlock(folder)
        assert told.returncode == 1
        assert f"is locked by process {process.pid}; wait for it" in told.stderr
        assert list((folder / ".snakemake/locks").glob("*"))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "LockException" in snakemake(folder, SET, fails=True)  # its log is not the holder's
    (log, *_) = sorted((folder / ".snakemake/log").glob("*.log"))
    mine = log.read_text()
    log.write_text(mine.replace(f"ost: {platform.node()}", "ost: another-node"))
    told = unlock(folder)
    assert "is locked by a snakemake on another-node" in told.stderr
    log.write_text(mine)
    told = unlock(folder)
    assert (told.returncode, "was killed; going on" in told.stderr) == (0, True)
    snakemake(folder, SET)
    assert unlock(folder).stderr == ""
