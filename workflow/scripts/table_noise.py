from farfield import comparison, jobs

with jobs.job(snakemake.log[0]):
    frame = comparison.compare(snakemake.input.clean, snakemake.input.noisy, snakemake.params.photons)
    comparison.write(frame, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
