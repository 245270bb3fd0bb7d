from farfield.machine import jobs
from farfield.study import rendering, rings

with jobs.job(snakemake.log[0]):
    found = rings.compare(snakemake.input.truth, snakemake.input.reconstructions, snakemake.params.patterns)
    rendering.write(rings.table(found, snakemake.params.patterns), snakemake.output)
