from io import StringIO

from farfield.machine import jobs
from farfield.principle import tables
from farfield.study import rendering

with jobs.job(snakemake.log[0]):
    found = tables.gaussian(snakemake.input.cells, StringIO(snakemake.params.published))
    rendering.write(tables.gaussian_table(found), snakemake.output)
