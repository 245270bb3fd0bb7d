from farfield.machine import jobs
from farfield.study import comparison, rendering

with jobs.job(snakemake.log[0]):
    found = comparison.compare(snakemake.input.clean, snakemake.input.noisy, snakemake.params.photons)
    rendering.write(comparison.table(found), snakemake.output)
