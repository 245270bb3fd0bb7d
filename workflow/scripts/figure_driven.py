import pandas as pd

from farfield.machine import jobs
from farfield.study import bands, driven_figures, figures

with jobs.job(snakemake.log[0]):
    figure = driven_figures.co_driven(pd.read_csv(snakemake.input.table), bands.rings(snakemake.input.scores))
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
