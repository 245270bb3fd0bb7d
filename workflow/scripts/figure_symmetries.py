from farfield import figures, jobs, pictures

with jobs.job(snakemake.log[0]):
    figures.save(pictures.symmetries(snakemake.input.truth), snakemake.output.pdf, snakemake.output.png)
