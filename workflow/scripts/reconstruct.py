import torch

from farfield.iterative import Shrinkwrap, reconstruct
from farfield.machine import devices, jobs, store
from farfield.study import methods

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    settings = {**params.settings, "shrinkwrap": Shrinkwrap(**params.settings["shrinkwrap"])}
    for split, section in params.sections.items():
        options = {**settings, "seed": params.seed, "oversampling": section["oversampling"]}
        dataset = store.open_dataset(snakemake.input[split], section)
        found = methods.reconstruct_all(
            {(params.seed, "final"): lambda x, how=options: reconstruct(x.to(device), **how).objects},
            torch.from_numpy(dataset.intensity[: params.counts.get(split)].values),
            {"method": snakemake.wildcards.recipe, "kind": "iterative", "split": split},
        )
        store.write_dataset(found, snakemake.output[split], section)
