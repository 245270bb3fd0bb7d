import pandas as pd

from farfield.machine import jobs
from farfield.principle import figures as principle
from farfield.study import figures

with jobs.job(snakemake.log[0]):
    figure = principle.square_root(pd.read_csv(snakemake.input.learned), pd.read_csv(snakemake.input.choices))
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
