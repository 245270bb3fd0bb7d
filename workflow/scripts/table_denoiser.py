import torch

from farfield.learning import denoiser
from farfield.machine import jobs, store
from farfield.study import denoisers, rendering

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    test = store.open_dataset(snakemake.input.test, snakemake.params.section)
    some = test.isel(sample=slice(snakemake.params.images))
    found = denoisers.compare(denoiser.load(snakemake.input.denoiser), some)
    rendering.write(denoisers.table(found), snakemake.output)
