from farfield.machine import jobs
from farfield.study import figures, pictures

with jobs.job(snakemake.log[0]):
    figures.save(pictures.symmetries(snakemake.input.truth), snakemake.output.pdf, snakemake.output.png)
