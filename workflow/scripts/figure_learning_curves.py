from farfield.machine import jobs
from farfield.study import figures

with jobs.job(snakemake.log[0]):
    figures.save(figures.learning_curves(snakemake.input.histories), snakemake.output.pdf, snakemake.output.png)
