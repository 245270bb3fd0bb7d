# The workflow lives in workflow/, where Snakemake's catalogue looks for it; this file lets `snakemake` find it.
include: "workflow/Snakefile"


workflow.default_target = "all"
