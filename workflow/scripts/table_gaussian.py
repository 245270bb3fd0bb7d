from io import StringIO

from farfield import jobs, rendering
from farfield.principle import tables

with jobs.job(snakemake.log[0]):
    found = tables.gaussian(snakemake.input.cells, StringIO(snakemake.params.published))
    rendering.write(tables.gaussian_table(found), snakemake.output)
