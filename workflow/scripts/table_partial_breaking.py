from farfield import jobs, rendering
from farfield.principle import tables

with jobs.job(snakemake.log[0]):
    found = tables.partial_breaking(snakemake.input.scores, snakemake.input.cells)
    rendering.write(tables.partial_breaking_table(found), snakemake.output)
