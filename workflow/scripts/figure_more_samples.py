import pandas as pd

from farfield import figures, jobs
from farfield.principle import figures as principle

with jobs.job(snakemake.log[0]):
    figure = principle.more_samples(pd.read_csv(snakemake.input.variation), pd.read_csv(snakemake.input.gaussian))
    figures.save(figure, snakemake.output.pdf, snakemake.output.png)
