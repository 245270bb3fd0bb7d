import torch

from farfield.machine import devices, jobs, store
from farfield.study import methods, starting

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    training = store.open_dataset(snakemake.input.train, params.sections["train"])
    training = training.isel(sample=slice(params.start["samples"]))
    for index, (split, section) in enumerate(params.sections.items()):
        dataset = store.open_dataset(snakemake.input[split], section)
        count = min(params.counts.get(split, dataset.sizes["sample"]), dataset.sizes["sample"])
        if snakemake.input.get("start"):
            begin = starting.read(snakemake.input.start[index], section, count)
        else:
            begin = starting.find(params.start["method"], training, params.seed)
        found = methods.reconstruct_all(
            {
                (seed, "final"): starting.method(params.settings, section["oversampling"], seed, objects, device)
                for seed, objects in begin.objects.items()
            },
            torch.from_numpy(dataset.intensity[:count].values),
            {"method": snakemake.wildcards.recipe, "kind": "iterative", "split": split},
            begin.spent,
        )
        store.write_dataset(found, snakemake.output[split], section)
