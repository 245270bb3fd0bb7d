import pandas as pd

from farfield.machine import jobs
from farfield.principle import figures as principle
from farfield.study import figures

with jobs.job(snakemake.log[0]):
    figure = principle.more_samples(pd.read_csv(snakemake.input.variation), pd.read_csv(snakemake.input.gaussian))
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
