from io import StringIO

from farfield.machine import jobs
from farfield.study import rendering, tables

with jobs.job(snakemake.log[0]):
    number = int(snakemake.wildcards.number)
    found = tables.summarise(snakemake.input.scores, number, StringIO(snakemake.params.published))
    rendering.write(tables.table(found, number), snakemake.output)
