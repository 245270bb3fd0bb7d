from farfield import jobs, pairing

with jobs.job(snakemake.log[0]):
    found = pairing.compare(snakemake.input.before, snakemake.input.after)
    pairing.write(found, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
