import pandas as pd

from farfield.machine import jobs
from farfield.study import curves, figures

with jobs.job(snakemake.log[0]):
    figures.save(curves.rings(pd.read_csv(snakemake.input.table)), snakemake.output.pdf, snakemake.output.png)
