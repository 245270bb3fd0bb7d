from farfield.machine import jobs
from farfield.study import driven_figures, figures

with jobs.job(snakemake.log[0]):
    params = snakemake.params
    figure = driven_figures.phases(
        snakemake.input.truth, snakemake.input.reconstructions, params.height, params.patterns
    )
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
