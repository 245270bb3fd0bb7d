import pandas as pd

from farfield import figures, jobs

with jobs.job(snakemake.log[0]):
    figure = figures.error_against_size(pd.read_csv(snakemake.input.table), snakemake.input.published)
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
