from farfield.machine import jobs
from farfield.measured import scans
from farfield.study import rendering

with jobs.job(snakemake.log[0]):
    rendering.write(scans.table(scans.summarise(snakemake.input.results)), snakemake.output)
