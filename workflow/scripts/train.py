import hashlib
import os
from pathlib import Path

import torch

from farfield.learning import batches, settings, tensorboard, training
from farfield.learning.objectives import objective
from farfield.machine import jobs, provenance, store
from farfield.study import datasets

KEPT = ".kept"


def fingerprint() -> str:
    """Digest all that decides this job's outputs; its sets by their moments of writing."""
    written = [Path(path, "zarr.json").stat().st_mtime_ns for path in snakemake.input]
    machine = torch.__version__, snakemake.config["device"]
    text = repr((sorted(snakemake.params.items()), sorted(snakemake.wildcards.items()), written, machine))
    return hashlib.sha256(text.encode()).hexdigest()


def keep(outputs: list[Path], folder: Path) -> None:
    """Give outputs second names, by hard links, which take no room.

    Where jobs share a cluster's job and one of them fails, Snakemake deletes the outputs of all.
    """
    try:
        with store.atomic(folder.parent) as temporary:
            (temporary / folder.name).mkdir(parents=True)
            for path in outputs:
                os.link(path, temporary / folder.name / path.name)
    except OSError as error:
        jobs.logger.info("%s: not kept for another attempt, as there are no hard links (%s)", folder, error)


with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    sections, cell = snakemake.params.sections, snakemake.wildcards
    outputs = [Path(path) for path in snakemake.output]
    folder = outputs[0].parent
    kept = folder / KEPT / fingerprint()
    sets = {name: store.open_dataset(snakemake.input[name], sections[name]) for name in ("train", "validation")}
    sets["train"] = batches.first(sets["train"], int(cell.samples))
    datasets.check_apart(sets)
    if kept.is_dir():
        jobs.logger.warning("this very training had ended, and no run has ended well since; its models are put back")
        for path in outputs:
            path.unlink(missing_ok=True)
            os.link(kept / path.name, path)
    else:
        training.fit(
            cell.network,
            sets["train"].object,
            sets["validation"].object,
            settings.Settings(**snakemake.params.settings),
            objective.Objective(**snakemake.params.objective),
            folder=folder,
            seed=int(cell.seed),
            oversampling=sections["train"]["oversampling"],
            near=datasets.near_field(sections["train"]),
            options=snakemake.params.options,
            device=snakemake.config["device"],
            memory=snakemake.config["memory"],
            origin={
                "symmetry": cell.symmetry,
                "objects": next(name for name in ("images", "waves", "crystals") if name in sections["train"]),
                "git_commit": provenance.git_commit(),
            },
            on_epoch=tensorboard.writer(folder) if snakemake.config["tensorboard"] else lambda row: None,
        )
        if snakemake.params.keeps:
            keep(outputs, kept)
