from farfield.machine import jobs
from farfield.study import pairing, rendering

with jobs.job(snakemake.log[0]):
    found = pairing.compare(snakemake.input.before, snakemake.input.after)
    rendering.write(pairing.table(found), snakemake.output)
