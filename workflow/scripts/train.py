from pathlib import Path

import torch

from farfield.learning import batches, settings, tensorboard, training
from farfield.learning.objectives import objective
from farfield.machine import attempts, jobs, provenance, store
from farfield.study import datasets

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    config, cell = snakemake.config, snakemake.wildcards
    sections = snakemake.params.sections
    outputs = [Path(path) for path in snakemake.output]
    decided = sorted(snakemake.params.items()), sorted(cell.items()), torch.__version__, config["device"]
    attempt = attempts.fingerprint(decided, snakemake.input)
    sets = {name: store.open_dataset(snakemake.input[name], sections[name]) for name in ("train", "validation")}
    sets["train"] = batches.first(sets["train"], int(cell.samples))
    datasets.check_apart(sets)
    if attempts.put_back(outputs, attempt):
        jobs.logger.warning("this very training had ended, and no run has ended well since; its models are put back")
    else:
        training.fit(
            cell.network,
            sets["train"].object,
            sets["validation"].object,
            settings.Settings(**snakemake.params.settings),
            objective.Objective(**snakemake.params.objective),
            folder=outputs[0].parent,
            seed=int(cell.seed),
            oversampling=sections["train"]["oversampling"],
            near=datasets.near_field(sections["train"]),
            options=snakemake.params.options,
            device=config["device"],
            memory=config["memory"],
            origin={
                "symmetry": cell.symmetry,
                "objects": next(name for name in ("images", "waves", "crystals") if name in sections["train"]),
                "git_commit": provenance.git_commit(),
            },
            on_epoch=tensorboard.writer(outputs[0].parent) if config["tensorboard"] else lambda row: None,
        )
        if snakemake.params.keeps:
            attempts.keep(outputs, attempt)
