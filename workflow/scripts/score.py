import torch

from farfield import jobs, scores, store

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    section, inputs = snakemake.params.section, snakemake.input
    for found, truth, output in zip(inputs.reconstructions, inputs.truths, snakemake.output, strict=True):
        scored = scores.score(store.open_dataset(found, section), store.open_dataset(truth, section))
        store.write_dataset(scored, output, section)
