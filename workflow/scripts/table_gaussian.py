from farfield import jobs
from farfield.principle import tables

with jobs.job(snakemake.log[0]):
    frame = tables.gaussian(snakemake.input.cells, snakemake.input.published)
    tables.write_gaussian(frame, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
