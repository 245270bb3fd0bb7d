import torch

from farfield.learning import batches, denoiser
from farfield.machine import devices, jobs, store
from farfield.study import datasets, denoised, methods, starting

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    sets = {name: store.open_dataset(snakemake.input[name], section) for name, section in params.sections.items()}
    seen = batches.first(sets["train"], params.samples)
    # The denoiser knows the images that it was trained on.
    datasets.check_apart({"train": seen, "test": sets["test"]})
    model = denoiser.load(snakemake.input.denoiser, str(device))
    for index, (split, section) in enumerate(params.sections.items()):
        dataset = sets[split]
        count = min(params.counts[split], dataset.sizes["sample"])
        if snakemake.input.get("start"):
            begin = starting.read(snakemake.input.start[index], section, count)
        else:
            begin = starting.find(params.start, seen, params.seed)
        found = methods.reconstruct_all(
            {
                (seed, "final"): denoised.method(params.settings, section["oversampling"], model, objects, device)
                for seed, objects in begin.objects.items()
            },
            torch.from_numpy(dataset.intensity[:count].values),
            {"method": snakemake.wildcards.recipe, "kind": "iterative", "split": split},
            begin.spent,
        )
        store.write_dataset(found, snakemake.output[split], section)
