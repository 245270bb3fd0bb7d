from pathlib import Path

import torch

from farfield import jobs, store, training

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    section, cell = snakemake.params.section, snakemake.wildcards
    objects, validation = (
        torch.from_numpy(store.open_dataset(path, section).object[:count].values)
        for path, count in ((snakemake.input.train, int(cell.samples)), (snakemake.input.validation, None))
    )
    training.fit(
        cell.network,
        objects,
        validation,
        training.Settings(**snakemake.params.settings),
        folder=Path(snakemake.output.final).parent,
        seed=int(cell.seed),
        oversampling=section["oversampling"],
        options=snakemake.params.options,
        device=snakemake.config["device"],
        origin={"symmetry": cell.symmetry, "git_commit": store.git_commit()},
    )
