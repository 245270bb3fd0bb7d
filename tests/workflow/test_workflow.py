"""The whole chain on config/test.yaml, once per test run, and what a user would do to it then."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import SNAKEMAKE, copy_workflow, snakemake

import farfield
from farfield.learning import networks
from farfield.machine import store
from farfield.physics import crystals

GAUSSIAN = ["method", "dimension", "samples", "symmetry", "metric", "mean", "sd", "seeds", "published"]


def results(folder: Path) -> Path:
    return folder / "results/test"


def table(folder: Path, number: int) -> pd.DataFrame:
    return pd.read_csv(results(folder) / f"tables/table{number}.csv")


def planned(printed: str) -> dict[str, int]:
    """Jobs by rule, from a dry run."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", printed, re.M) if name != "total"}


@pytest.mark.parametrize("number", range(1, 6))
def test_tables_hold_every_method(study, number):
    frame = table(study, number)
    networks = frame[frame.method.isin(["unet", "sisprnet"])]
    assert len(networks) == 2 * 2 * 2
    assert set(networks.seeds) == {2}
    assert networks[["mean", "sd", "relative"]].notna().all(axis=None)
    assert {"zero", "mean-object", "hio-classic", "hio-tuned"} <= set(frame.method)
    zero = frame[frame.method == "zero"]
    assert np.allclose(zero.relative, 1)
    assert zero["mean"].between(0.2, 0.35).all() if number in (2, 4, 5) else zero["mean"].between(0.1, 0.18).all()
    for suffix in ("md", "tex"):
        assert "published" in (results(study) / f"tables/table{number}.{suffix}").read_text().lower()


def test_the_numbers_are_those_of_working_methods(study):
    frame = table(study, 5).set_index("method")
    assert float(frame.relative["hio-tuned"]) < 0.05
    after = frame[frame.symmetry == "after"].relative
    before = frame[frame.symmetry == "before"].relative
    assert (after.loc[["unet", "sisprnet"]].to_numpy() < before.loc[["unet", "sisprnet"]].to_numpy()).all()


def test_every_method_stands_in_the_table_with_noise(study):
    frame = pd.read_csv(results(study) / "tables/noise.csv")
    assert len(frame) == 2 * (2 * 2 * 2 + 4 + 3)
    assert set(frame.patterns) == {16}
    assert frame[["mean", "median", "solved", "seconds"]].notna().all(axis=None)
    clean, noisy = (frame[frame.photons == photons].set_index("method") for photons in (np.inf, 1e6))
    for recipe in ("hio-tuned", "raar-tuned", "escalating"):
        assert clean["median"][recipe] < 0.01 * noisy["median"][recipe]
        assert noisy["median"][recipe] < 0.2
    assert "1e6 photons Solved" in (results(study) / "tables/noise.md").read_text()
    patterns = store.open_dataset(results(study) / "data/noisy.zarr")
    truth = store.open_dataset(results(study) / "data/test.zarr").isel(sample=slice(16))
    assert np.array_equal(patterns.object, truth.object)
    assert 0 < float(np.abs(patterns.intensity - truth.intensity).sum() / truth.intensity.sum()) < 0.1


def test_a_changed_noise_reruns_what_is_noisy(study):
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["noise"]["photons"] = 1.0e5
    (study / "changed.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert jobs["add_noise"] == 1
    assert jobs["reconstruct"] == 7
    assert not {"simulate", "break_symmetries", "train"} & set(jobs)


def test_nothing_of_a_training_stays_but_its_models_and_history(study):
    names = {path.name for path in results(study).glob("models/*/*/*/*/*")}
    assert names == {"final.safetensors", "best.safetensors", "history.csv"}


def test_training_tables_agree_with_the_models(study):
    """Table 1's mean is the MSE of the final weights on their own training set, computed here once more."""
    import torch

    from farfield.symmetry import metrics

    values = []
    for seed in (0, 1):
        model = networks.load(results(study) / f"models/unet/after/n32/seed{seed}/final.safetensors")
        dataset = store.open_dataset(results(study) / "data/train-broken.zarr")
        objects = torch.from_numpy(dataset.object[:32].values)
        with torch.inference_mode():
            values.append(float(metrics.mse(objects, model(torch.from_numpy(dataset.intensity[:32].values))).mean()))
    frame = table(study, 1).query("method == 'unet' and samples == 32 and symmetry == 'after'")
    assert float(frame["mean"].iloc[0]) == pytest.approx(np.mean(values), rel=1e-4)
    assert float(frame["sd"].iloc[0]) == pytest.approx(np.std(values, ddof=1), rel=1e-3)


def test_figures_are_there(study):
    names = {path.name for path in (results(study) / "figures").iterdir()}
    stems = ("symmetries", "reconstructions", "error-against-size", "learning-curves", "error-against-time")
    stems += ("figure2", "more-samples", "starts", "rings")
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}
    assert all((results(study) / "figures" / name).stat().st_size > 5000 for name in names)


def test_no_scan_is_made_where_the_config_names_none(study):
    assert not (results(study) / "measured").exists()
    assert not list((results(study) / "tables").glob("measured.*"))


def test_every_objective_and_every_start_stands_in_the_tables_of_the_second_paper(study):
    frames = {name: pd.read_csv(results(study) / f"tables/{name}.csv") for name in ("passive", "strategies")}
    refined = {"after-refined", "twice-refined", "blob-refined"}
    for frame in frames.values():
        ours = frame[frame.kind != "published"]
        assert set(ours.method[ours.kind == "constant"]) == {"zero", "box", "blob", "mean-object"}
        assert (
            set(ours.method[ours.kind == "iterative"])
            == {"hio-classic", "hio-tuned", "raar-tuned", "escalating"} | refined
        )
        made = ours[ours.kind == "network"]
        assert set(zip(made.method, made.symmetry, strict=True)) == {
            (network, name)
            for network in ("unet", "sisprnet")
            for name in ("before", "after", "invariant", "passive")
        }
        assert float(ours.set_index("method")["mean"]["zero"]) == pytest.approx(1)
    assert frames["passive"].published.notna().sum() == 8  # both networks beside the one that is published
    assert frames["strategies"].published.isna().all()
    steps = frames["strategies"].set_index("method")["iterations"]
    assert steps["after-refined"] <= 50
    assert steps["twice-refined"] == pytest.approx(steps["after-refined"] + 8)
    starts = pd.read_csv(results(study) / "tables/starts.csv")
    assert set(starts.start) == {"cold", "blob", "mean-object", "before", "after", "invariant", "passive"}
    assert set(starts.iterations[starts.start == "cold"]) == {10, 50}


def test_a_refined_start_is_what_its_method_made(study):
    """Of the network's best validated weights; hardly refined, it is still what it was."""
    start = store.open_dataset(results(study) / "reconstructions/unet/after/n64/test.zarr")
    refined = store.open_dataset(results(study) / "reconstructions/after-refined/test.zarr")
    assert refined.seed.values.tolist() == start.seed.values.tolist() == [0, 1]
    assert float(refined.seconds.mean()) > float(start.seconds.sel(checkpoint="best").mean())


def test_a_changed_objective_trains_its_networks_alone(study):
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["objectives"]["passive"]["jacobian"] = 1.0e-2
    (study / "changed.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert (jobs["train"], jobs["evaluate_network"], jobs["follow_start"]) == (4, 2, 1)
    assert not {"reconstruct", "table", "simulate"} & set(jobs)


def test_the_gaussian_table_has_every_method_before_and_after(study):
    frame = pd.read_csv(results(study) / "tables/gaussian.csv")
    assert list(frame.columns) == GAUSSIAN
    assert set(zip(frame.method, frame.symmetry, strict=True)) == {
        (method, symmetry) for method in ("dnn", "knn") for symmetry in ("before", "after")
    }
    mean = frame.set_index(["method", "symmetry"])["mean"]
    assert mean["knn", "after"] < mean["knn", "before"]


def test_partial_breaking_and_the_sweep_are_off_until_asked_for(study):
    assert not (results(study) / "tables/partial-breaking.csv").exists()
    assert not (results(study) / "sweep").exists()
    jobs = planned(snakemake(study, "partial_breaking", "--dry-run"))
    assert {name: jobs[name] for name in ("train", "break_partly", "gaussian", "evaluate_network")} == {
        "train": 8,
        "break_partly": 2,
        "gaussian": 3,
        "evaluate_network": 4,
    }
    jobs = planned(snakemake(study, "sweep", "--dry-run"))
    variants = yaml.safe_load((study / "config/test.yaml").read_text())["sweep"]["variants"]
    assert jobs["train_variant"] == 2 * 2 * len(variants)
    assert "train" not in jobs


SMALL = {
    "study": "test",
    "image_size": 16,
    "samples": [16],
    "networks": ["unet"],
    "seeds": [0],
    "crystals": {"training": 32, "validation": 8, "test": 12},
    "training": {"epochs": 2, "updates": 0, "batch_size": 8, "precision": "float32"},
    "network_options": {"unet": {"width": 8}},
    "baselines": {"er": {"recipe": "40*ER", "starts": 1}},
    "refined": {"from-er": {"start": "er", "recipe": "4*ER"}, "from-net": {"start": "after", "recipe": "4*HIO+ER"}},
    "baseline_training_patterns": 20,  # more than networks learn from, which are all that they reconstruct
    "noise": {"photons": 1e6, "patterns": 4},
    "figure_samples": {"count": 2},
    "square_root": {"ultra_dense": 50, "dense": 20, "widths": [8], "updates": 10, "batch_size": 50},
    "gaussian": {"dimensions": [3], "samples": [100], "widths": [8], "epochs": 2, "batch_size": 50, "tests": 20},
    "partial_breaking": {"samples": 16, "gaussian_samples": 100},
    "sweep": {"samples": 16, "variants": {"as-configured": {}, "wide": {"network_options": {"unet": {"width": 12}}}}},
}
"""One network, one baseline, a minute for everything."""


class Copy:
    """A small study with a package of its own, which may be edited."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        copy_workflow(folder)
        source = Path(farfield.__file__).parent
        shutil.copytree(source, folder / "src/farfield", ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, module: str, old: str, new: str) -> None:
        path = self.folder / f"src/farfield/{module}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self, config: dict, *arguments: str) -> dict[str, int]:
        (self.folder / "small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(self.folder / "src"))
            return planned(snakemake(self.folder, *arguments, config="small.yaml"))

    def tables(self) -> dict[str, str]:
        """Every table, times aside."""
        found = {path.name: path.read_text() for path in (results(self.folder) / "tables").glob("*.csv")}
        found["noise.csv"] = "\n".join(line.rpartition(",")[0] for line in found["noise.csv"].splitlines())
        return found | {"conditioning": (results(self.folder) / "data/conditioning.csv").read_text()}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    copy = Copy(tmp_path_factory.mktemp("small") / "first")
    copy.run(SMALL, "all", "partial_breaking", "sweep")
    return copy


def test_a_study_of_one_network_has_all_its_tables(small):
    tables = results(small.folder) / "tables"
    partial, sweep = (pd.read_csv(tables / f"{name}.csv") for name in ("partial-breaking", "sweep"))
    far_field = partial[partial.problem == "far-field"]
    assert far_field.symmetry.tolist() == ["before", "centred", "phase", "after"]
    assert far_field["mean"].between(20, 100.001).all()
    assert set(zip(sweep.symmetry, sweep.variant, strict=True)) == {
        (symmetry, variant) for symmetry in ("before", "after") for variant in ("as-configured", "wide")
    }
    assert sweep.best.between(0.2, 1.001).all()
    assert set(table(small.folder, 5).method) == {"unet", "zero", "mean-object", "er", "from-er", "from-net"}


def test_after_changes_of_any_kind_at_once_a_study_is_that_made_from_nothing_and_a_moved_one_is_done(small):
    """New sizes beside new epochs, an order, and code: what reruns must not hide what else has to."""
    old = small.tables()
    changed = {
        **SMALL,
        "samples": [8, 16],
        "baselines": {"hio": {"recipe": "40*HIO", "starts": 1}, **SMALL["baselines"]},
    }
    changed["training"] = {**SMALL["training"], "epochs": 3}
    anew = Copy(small.folder.with_name("anew"))
    for copy in (small, anew):
        copy.edit("symmetry/metrics", "/ (2 * reference.shape[-2]", "/ (4 * reference.shape[-2]")
        copy.edit("symmetry/actions", "flips = sine < 0", "flips = sine > 0")
    jobs = small.run(changed)
    anew.run(changed)
    assert jobs["train"] == 4
    assert not {"square_root", "gaussian"} & set(jobs)
    others = {"partial-breaking.csv", "sweep.csv"}  # not of `all`
    found = {name: text for name, text in small.tables().items() if name not in others}
    assert found == anew.tables()
    assert all(found[name] != old[name] for name in ("table1.csv", "table5.csv", "paired.csv", "conditioning"))
    anew.folder = anew.folder.rename(anew.folder.with_name("moved"))
    assert not anew.run(changed, "--dry-run")


def test_new_sizes_beside_a_new_setting_are_trained(study):
    """A job that must run hides nothing that lies downstream of it."""
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["samples"] = [16, 32, 64]
    (study / "changed.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert (jobs["train"], jobs["conditioning"], jobs["evaluate_network"]) == (8, 1, 4)  # before and after
    config["training"]["epochs"] = 3
    (study / "changed.yaml").write_text(yaml.safe_dump(config))
    assert planned(snakemake(study, "--dry-run", config="changed.yaml"))["train"] == 24 + 8


def test_the_order_of_methods_reruns_tables_and_trains_nothing(study):
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["networks"].reverse()
    (study / "changed.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert (jobs["table"], jobs["table_noise"], jobs["table_paired"]) == (5, 1, 1)
    assert not {"train", "evaluate_network", "reconstruct"} & set(jobs)


def test_options_are_set_on_the_command_line(study):
    changes = ["seeds=[0]", "samples=[16,32]", "training={epochs: 12, batch_size: 8, updates: 0, precision: float32}"]
    jobs = planned(snakemake(study, "--dry-run", "--config", *changes))
    assert jobs["train"] == 4 + 4  # of size 16, and two objectives at the new largest size


def test_a_study_of_strained_crystals_simulates_them_and_its_stores_say_so(tmp_path):
    folder, path = copy_workflow(tmp_path), "results/strained/data/validation.zarr"
    config = {"study": "strained", "image_size": 16, "crystals": {"kind": "strained", "validation": 5}}
    (folder / "strained.yaml").write_text(yaml.safe_dump(config))
    snakemake(folder, path, config="strained.yaml")
    made = store.open_dataset(folder / path)
    assert np.array_equal(made.object, crystals.simulate(5, 16, 24031, kind="strained"))
    assert not np.array_equal(made.object, crystals.simulate(5, 16, 24031))
    assert yaml.safe_load(made.attrs["section"])["crystals"]["kind"] == "strained"
    config["crystals"]["kind"] = "dislocated"
    (folder / "strained.yaml").write_text(yaml.safe_dump(config))
    assert planned(snakemake(folder, path, "--dry-run", config="strained.yaml"))["simulate"] == 1


def test_sets_with_a_copy_in_common_are_refused_by_each_training(study, tmp_path):
    folder = copy_workflow(tmp_path)
    shutil.copytree(results(study) / "data", results(folder) / "data")
    shutil.copytree(study / ".snakemake/metadata", folder / ".snakemake/metadata")
    path = results(folder) / "data/validation.zarr"
    training, validation = (
        store.open_dataset(results(folder) / f"data/{name}.zarr") for name in ("train", "validation")
    )
    both = xr.concat([training.isel(sample=[20]), validation.isel(sample=slice(1, None))], "sample").load()
    stat = (path / ".snakemake_timestamp").stat()
    store.write_dataset(both, path, yaml.safe_load(validation.attrs["section"]))
    (path / ".snakemake_timestamp").touch()
    os.utime(path / ".snakemake_timestamp", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    target = "results/test/models/unet/after/n32/seed0/final.safetensors"
    printed = snakemake(folder, target, fails=True)
    assert "got sample 20 of train again as sample 0 of validation" in printed


def test_after_is_held_against_before_crystal_by_crystal(study):
    frame = pd.read_csv(results(study) / "tables/paired.csv")
    assert list(zip(frame.method, frame.samples, strict=True)) == [
        (network, samples) for network in ("unet", "sisprnet") for samples in (32, 64)
    ]
    assert (frame.tests == 32).all()
    assert np.allclose(frame.difference, frame.before - frame.after, atol=1e-5)


def test_the_best_models_are_released_with_cards(study):
    released = results(study) / "released"
    assert sorted(path.name for path in released.iterdir()) == [
        f"{network}.{suffix}" for network in ("sisprnet", "unet") for suffix in ("md", "safetensors")
    ]
    about = networks.load(released / "unet.safetensors").description
    assert (about["network"], about["samples"]) == ("unet", 64)
    scores = {
        path.parts[-2]: networks.load(path / "seed0/best.safetensors").description["validation_sa_mse"]
        for path in (results(study) / "models/unet").glob("*/n64")
    }
    assert set(scores) == {"before", "after", "invariant", "passive"}
    assert about["validation_sa_mse"] <= min(scores.values())
    assert f"trained for | `{about['symmetry']}`:" in (released / "unet.md").read_text()
    assert f"farfield {farfield.__version__}" in (released / "unet.md").read_text()


def test_sets_report_their_symmetries(study):
    frame = pd.read_csv(results(study) / "data/conditioning.csv")
    assert list(frame["set"]) == ["train", "train", "validation", "test"]
    assert frame.flipped.between(0.2 * frame.samples, 0.8 * frame.samples).all()


def test_a_log_has_a_line_for_each_epoch(study):
    log = (results(study) / "logs/train/unet/after/n32/seed0.log").read_text()
    assert len(re.findall(r"epoch \d+/12  loss [\d.]+  validation SA-MSE [\d.]+", log)) == 12


def test_a_second_run_has_nothing_to_do(study):
    assert "Nothing to be done" in snakemake(study)


def test_a_changed_training_key_reruns_training_and_what_follows(study):
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["training"]["patience"] = 4
    (study / "changed.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert jobs["train"] == 16 + 8
    assert (jobs["reconstruct"], jobs["score_baseline"]) == (2, 2)  # what refines a network's output, and again
    assert not {"simulate", "break_symmetries", "score_constants"} & set(jobs)


def test_a_larger_test_set_trains_nothing_again(study):
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["crystals"]["test"] += 1
    (study / "changed.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(snakemake(study, "--dry-run", config="changed.yaml"))
    assert jobs["simulate"] == 1
    assert not {"train", "break_symmetries"} & set(jobs)


def test_a_deleted_table_reruns_one_job(study):
    path = results(study) / "tables/table3.md"
    before = path.read_bytes()
    path.unlink()
    assert planned(snakemake(study, "--dry-run")) == {"all": 1, "table": 1}
    snakemake(study)
    assert path.read_bytes() == before


def test_a_truncated_store_is_named_with_its_repair(study):
    path = results(study) / "data/validation.zarr"
    chunk = next(file for file in path.glob("object/c/**/*") if file.is_file())
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1])
    model = "results/test/models/unet/after/n32/seed0/final.safetensors"
    weights = (study / model).read_bytes()
    try:
        printed = snakemake(study, model, "--force", fails=True)
        assert "validation.zarr: expected a whole store" in printed
        assert "rebuild it with: rm -rf results/test/data/validation.zarr && snakemake" in printed
    finally:
        chunk.write_bytes(content)
        (study / model).parent.mkdir(parents=True, exist_ok=True)
    snakemake(study, model)
    assert (study / model).read_bytes() == weights


def test_a_killed_training_is_resumed_by_the_next_run(study):
    """kill -9 of everything while a training runs; the rerun resumes and ends with the same weights."""
    config = yaml.safe_load((study / "config/test.yaml").read_text())
    config["study"] = "killed"
    config["training"] |= {"epochs": 400, "patience": 400}
    (study / "killed.yaml").write_text(yaml.safe_dump(config))
    folder = study / "results/killed/models/unet/after/n64/seed0"
    target = str(folder.relative_to(study) / "final.safetensors")
    command = [*SNAKEMAKE, target, "--configfile", "killed.yaml", "--nolock"]
    process = subprocess.Popen(
        command, cwd=study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, 9)
    process.wait()
    assert (folder / "checkpoint.pt").exists()
    assert not (folder / "final.safetensors").exists()
    snakemake(study, target, config="killed.yaml")
    log = (study / "results/killed/logs/train/unet/after/n64/seed0.log").read_text()
    assert "resumed after epoch" in log
    resumed = (folder / "final.safetensors").read_bytes()
    snakemake(study, target, "--force", config="killed.yaml")
    log = (study / "results/killed/logs/train/unet/after/n64/seed0.log").read_text()
    assert "epoch 1/400" in log
    assert (folder / "final.safetensors").read_bytes() == resumed


def test_models_are_put_back_until_a_run_has_ended_well(study, tmp_path):
    """As where they shared a cluster's job with one that failed, for which Snakemake deletes them."""
    folder, cell = copy_workflow(tmp_path), "unet/after/n32"
    shutil.copytree(results(study) / "data", results(folder) / "data")
    target, script = f"results/test/scores/{cell}/test.zarr", folder / "workflow/scripts/evaluate_network.py"
    working = script.read_text()
    script.write_text("raise SystemExit(1)")
    snakemake(folder, target, fails=True)
    script.write_text(working)
    (results(folder) / f"models/{cell}/seed1/final.safetensors").unlink()
    snakemake(folder, target)
    assert "its models are put back" in (results(folder) / f"logs/train/{cell}/seed1.log").read_text()
    assert not list(results(folder).rglob(".kept"))


def test_a_bad_config_ends_before_the_first_job_in_a_few_lines(study):
    (study / "bad.yaml").write_text("study: bad\nepohcs: 3\nimage_size: 0\n")
    printed = snakemake(study, config="bad.yaml", fails=True)
    assert "unknown key 'epohcs'" in printed
    assert "image_size: expected an integer at least 8, got 0" in printed
    assert len(printed.strip().splitlines()) <= 10
    assert not (study / "results/bad").exists()


def test_a_report_is_made(study):
    snakemake(study, "--report", "results/test/report.zip")
    assert (results(study) / "report.zip").stat().st_size > 100_000


def test_the_config_is_the_laptop_study_unless_another_is_named(study):
    command = [*SNAKEMAKE, "--dry-run"]
    result = subprocess.run(command, cwd=study, capture_output=True, text=True, check=True)
    assert "results/laptop/tables/table5.csv" in result.stdout + result.stderr
    assert planned(result.stdout + result.stderr)["train"] == 32


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_the_slurm_profile_plans_a_study_where_there_is_neither_cluster_nor_gpu(tmp_path, device):
    folder = copy_workflow(tmp_path)
    options = ["--workflow-profile", "profiles/slurm", "--configfile", "config/test.yaml", "--dry-run"]
    command = [sys.executable, "-m", "snakemake", *options, "--config", f"device={device}", "--", "all", "sweep"]
    printed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    asks = dict(re.findall(r"^ *(?:local)?rule (\w+):\n.*?resources: ([^\n]*)", printed, re.S | re.M))
    on_gpu = {"train", "train_variant", "evaluate_network", "reconstruct", "follow_start", "gaussian"}
    assert {rule for rule, asked in asks.items() if "slurm_partition=gpu" in asked} == on_gpu
    assert {rule for rule, asked in asks.items() if "gpu=1" in asked} == (on_gpu if device == "cuda" else set())
    assert {"simulate", "score_baseline", "square_root"} < set(asks)
    for asked in asks.values():
        assert re.search(r"mem_mb=\d+", asked)
        assert re.search(r"runtime=\d+", asked)


def test_the_workstation_profile_plans_the_same_jobs(tmp_path):
    folder = copy_workflow(tmp_path)
    plans = [
        snakemake(folder, "--dry-run", *profile) for profile in ((), ("--workflow-profile", "profiles/workstation"))
    ]
    assert planned(plans[0]) == planned(plans[1])
