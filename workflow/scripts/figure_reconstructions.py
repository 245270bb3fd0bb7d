from farfield.machine import jobs
from farfield.study import figures, pictures

with jobs.job(snakemake.log[0]):
    figure = pictures.reconstructions(
        snakemake.input.truth, snakemake.input.reconstructions, **snakemake.params.samples
    )
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
