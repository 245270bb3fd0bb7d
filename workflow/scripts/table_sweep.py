from farfield import jobs, store, sweep

with jobs.job(snakemake.log[0]):
    validation = store.open_dataset(snakemake.input.validation, snakemake.params.section)
    found = sweep.summarise(snakemake.input.histories, validation)
    sweep.write(found, snakemake.params.variants, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
