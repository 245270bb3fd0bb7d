import itertools

import torch

from farfield import jobs, methods, scores, store

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    cell, output = snakemake.wildcards, snakemake.output
    variants = itertools.product(snakemake.params.seeds, ["final", "best"])
    device = snakemake.config["device"]
    networks = {
        variant: methods.network(path, device) for variant, path in zip(variants, snakemake.input.models, strict=True)
    }
    stores = zip(snakemake.input.truths, output.reconstructions, output.scores, strict=True)
    sections = snakemake.params.sections.items()
    for (truth, reconstructed, scored), (split, section) in zip(stores, sections, strict=True):
        dataset = store.open_dataset(truth, section)
        count = int(cell.samples) if split == "train" else None
        intensity = torch.from_numpy(dataset.intensity[:count].values)
        attributes = {"method": cell.network, "kind": "network", "symmetry": cell.symmetry, "split": split}
        found = methods.reconstruct_all(networks, intensity, {**attributes, "samples": int(cell.samples)})
        store.write_dataset(found, reconstructed, section)
        store.write_dataset(scores.score(found, dataset), scored, section)
