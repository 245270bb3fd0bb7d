from farfield.machine import jobs
from farfield.principle import tables
from farfield.study import rendering

with jobs.job(snakemake.log[0]):
    found = tables.partial_breaking(snakemake.input.scores, snakemake.input.cells)
    rendering.write(tables.partial_breaking_table(found), snakemake.output)
