from farfield.machine import jobs
from farfield.study import release

with jobs.job(snakemake.log[0]):
    release.release(snakemake.input.models, snakemake.input.scores, snakemake.output.model, snakemake.output.card)
