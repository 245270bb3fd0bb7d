from pathlib import Path

import torch

from farfield.machine import jobs, store
from farfield.study import errors, scores

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    sections, root = snakemake.params.sections, Path(snakemake.output[0]).parents[2]
    sets = {
        name: store.open_dataset(snakemake.input[name], sections["test" if name == "test" else "train"])
        for name in ("before", "after", "test")
    }
    for samples in snakemake.params.samples:
        for symmetry in ("before", "after"):
            training = sets[symmetry].isel(sample=slice(samples))
            for split, truth in (("train", training), ("test", sets["test"])):
                attributes = {"split": split, "samples": samples, "symmetry": symmetry}
                scored = scores.score_constant("mean-object", training, truth, attributes)
                path = root / f"mean-object/{symmetry}/n{samples}/{split}.zarr"
                store.write_dataset(scored, path, sections[split])
        training = sets["before"].isel(sample=slice(samples))
        scored = scores.score_constant("zero", training, training, {"split": "train", "samples": samples})
        store.write_dataset(scored, root / f"zero/n{samples}/train.zarr", sections["train"])
    for name in ("zero", *errors.FLOORS):
        scored = scores.score_constant(name, sets["before"], sets["test"], {"split": "test"})
        store.write_dataset(scored, root / f"{name}/test.zarr", sections["test"])
