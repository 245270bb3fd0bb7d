from farfield import figures, jobs

with jobs.job(snakemake.log[0]):
    figures.save(figures.symmetries(snakemake.input.truth), snakemake.output.pdf, snakemake.output.png)
