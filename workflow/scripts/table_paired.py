from farfield import jobs, pairing, rendering

with jobs.job(snakemake.log[0]):
    found = pairing.compare(snakemake.input.before, snakemake.input.after)
    rendering.write(pairing.table(found), snakemake.output)
