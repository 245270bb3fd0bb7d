from farfield.machine import jobs
from farfield.study import rendering, start_curves

with jobs.job(snakemake.log[0]):
    rendering.write(start_curves.table(start_curves.summarise(snakemake.input.curves)), snakemake.output)
