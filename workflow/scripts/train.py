from pathlib import Path

import torch

from farfield import jobs, store, training

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    sections, cell = snakemake.params.sections, snakemake.wildcards
    objects, validation = (
        torch.from_numpy(store.open_dataset(snakemake.input[name], sections[name]).object[:count].values)
        for name, count in (("train", int(cell.samples)), ("validation", None))
    )
    training.fit(
        cell.network,
        objects,
        validation,
        training.Settings(**snakemake.params.settings),
        folder=Path(snakemake.output.final).parent,
        seed=int(cell.seed),
        oversampling=sections["train"]["oversampling"],
        options=snakemake.params.options,
        device=snakemake.config["device"],
        origin={"symmetry": cell.symmetry, "git_commit": store.git_commit()},
    )
