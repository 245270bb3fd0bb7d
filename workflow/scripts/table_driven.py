from farfield.machine import jobs
from farfield.study import driven, rendering

with jobs.job(snakemake.log[0]):
    found = driven.compare(snakemake.input.scores, snakemake.params.shares)
    rendering.write(driven.table(found), snakemake.output)
