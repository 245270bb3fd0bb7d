from farfield.machine import jobs
from farfield.study import figures

with jobs.job(snakemake.log[0]):
    figures.save(figures.error_against_time(snakemake.input.scores), snakemake.output.pdf, snakemake.output.png)
