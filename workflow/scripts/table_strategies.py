from io import StringIO

from farfield.machine import jobs
from farfield.study import rendering, strategies

TITLES = {"passive": "Learned starts", "strategies": "What networks are trained for"}

with jobs.job(snakemake.log[0]):
    published, name = snakemake.params.published, snakemake.wildcards.name
    found = strategies.compare(snakemake.input.scores, StringIO(published) if published else None)
    rendering.write(strategies.table(found, name, TITLES[name]), snakemake.output)
