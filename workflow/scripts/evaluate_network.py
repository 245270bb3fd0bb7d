import itertools
from functools import partial

import torch

from farfield.learning import batches
from farfield.learning.networks import retriever
from farfield.machine import devices, jobs, store
from farfield.study import datasets, hologram_scores, methods

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    cell, output, sections = snakemake.wildcards, snakemake.output, dict(snakemake.params.sections)
    unseen = store.open_dataset(snakemake.input.validation, sections.pop("validation"))
    truths = {
        split: store.open_dataset(path, section)
        for path, (split, section) in zip(snakemake.input.truths, sections.items(), strict=True)
    }
    truths["train"] = batches.first(truths["train"], int(cell.samples))
    # Models were chosen by one set: what else they are scored on must not be in it.
    datasets.check_apart({"train": truths["train"], "validation": unseen, "test": truths["test"]})
    variants = itertools.product(snakemake.params.seeds, ["final", "best"])
    device = str(devices.claim_device(snakemake.config["device"]))
    networks = {
        variant: partial(retriever.predict, retriever.load(path, device))
        for variant, path in zip(variants, snakemake.input.models, strict=True)
    }
    stores = zip(truths.items(), output.reconstructions, output.scores, strict=True)
    for (split, truth), reconstructed, scored in stores:
        attributes = {"method": cell.network, "kind": "network", "symmetry": cell.symmetry, "split": split}
        intensity = torch.from_numpy(truth.intensity[: snakemake.params.counts.get(split)].values)
        found = methods.reconstruct_all(networks, intensity, {**attributes, "samples": int(cell.samples)})
        store.write_dataset(found, reconstructed, sections[split])
        store.write_dataset(hologram_scores.scorer(sections[split])(found, truth), scored, sections[split])
