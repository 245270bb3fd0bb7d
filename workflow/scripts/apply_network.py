import itertools

import torch

from farfield import jobs, methods, store

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    cell, sections = snakemake.wildcards, snakemake.params.sections
    variants = itertools.product(snakemake.params.seeds, ["final", "best"])
    device = snakemake.config["device"]
    networks = {
        variant: methods.network(path, device) for variant, path in zip(variants, snakemake.input.models, strict=True)
    }
    for split in ("train", "test", "noisy"):
        count = int(cell.samples) if split == "train" else None
        dataset = store.open_dataset(snakemake.input[split], sections[split])
        intensity = torch.from_numpy(dataset.intensity[:count].values)
        attributes = {"method": cell.network, "kind": "network", "symmetry": cell.symmetry, "split": split}
        found = methods.reconstruct_all(networks, intensity, {**attributes, "samples": int(cell.samples)})
        store.write_dataset(found, snakemake.output[split], sections[split])
