import pandas as pd

from farfield import figures, jobs
from farfield.principle import figures as principle

with jobs.job(snakemake.log[0]):
    figure = principle.square_root(pd.read_csv(snakemake.input.learned), pd.read_csv(snakemake.input.choices))
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
