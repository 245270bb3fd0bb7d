from io import StringIO

import pandas as pd

from farfield.machine import jobs
from farfield.study import figures

with jobs.job(snakemake.log[0]):
    published = StringIO(snakemake.params.published)
    figures.save(figures.error_against_size(pd.read_csv(snakemake.input.table), published), *snakemake.output)
