from farfield import jobs
from farfield.principle import tables

with jobs.job(snakemake.log[0]):
    frame = tables.partial_breaking(snakemake.input.scores, snakemake.input.cells)
    tables.write_partial_breaking(frame, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
