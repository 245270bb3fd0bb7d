from io import StringIO

from farfield import jobs, rendering, tables

with jobs.job(snakemake.log[0]):
    number = int(snakemake.wildcards.number)
    found = tables.summarise(snakemake.input.scores, number, StringIO(snakemake.params.published))
    rendering.write(tables.table(found, number), snakemake.output)
