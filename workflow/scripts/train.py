from pathlib import Path

import torch

from farfield import batches, jobs, store, tensorboard, training

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    sections, cell = snakemake.params.sections, snakemake.wildcards
    folder = Path(snakemake.output.final).parent
    training_set, validation = (
        store.open_dataset(snakemake.input[name], sections[name]) for name in ("train", "validation")
    )
    training.fit(
        cell.network,
        batches.first(training_set, int(cell.samples)),
        validation.object,
        training.Settings(**snakemake.params.settings),
        folder=folder,
        seed=int(cell.seed),
        oversampling=sections["train"]["oversampling"],
        options=snakemake.params.options,
        device=snakemake.config["device"],
        memory=snakemake.config["memory"],
        origin={"symmetry": cell.symmetry, "git_commit": store.git_commit()},
        on_epoch=tensorboard.writer(folder) if snakemake.config["tensorboard"] else lambda row: None,
    )
