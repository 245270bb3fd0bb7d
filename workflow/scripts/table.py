from farfield import jobs, tables

with jobs.job(snakemake.log[0]):
    number = int(snakemake.wildcards.number)
    frame = tables.summarise(snakemake.input.scores, number, snakemake.input.published)
    tables.write(frame, number, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
