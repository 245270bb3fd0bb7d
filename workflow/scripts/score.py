import torch

from farfield.machine import jobs, store
from farfield.study import scores

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    stores = zip(snakemake.input.reconstructions, snakemake.input.truths, snakemake.output, strict=True)
    for (found, truth, output), section in zip(stores, snakemake.params.sections.values(), strict=True):
        scored = scores.score(store.open_dataset(found, section), store.open_dataset(truth, section))
        store.write_dataset(scored, output, section)
