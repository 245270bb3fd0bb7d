# Of a rocking scan whose geometry is told, a .vti comes beside them.
rule reconstruct_measured:
    input:
        files_of_scan,
    output:
        cxi=study_path("measured/{scan}.cxi"),
        png=report(
            study_path("measured/{scan}.png"),
            caption="../report/scan.rst",
            category="Figures",
            labels={"figure": "measured: {scan}", "format": "png"},
        ),
    log:
        study_path("logs/reconstruct_measured/{scan}.log"),
    benchmark:
        study_path("benchmarks/reconstruct_measured/{scan}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.scan),
        gpu=gpus,
    params:
        code=code("reconstruct_measured"),
        asked=scan_of_wildcard,
    script:
        "../scripts/reconstruct_measured.py"


rule table_measured:
    input:
        results=expand(study_path("measured/{scan}.cxi"), scan=config["measured"]),
    output:
        csv=report(
            study_path("tables/measured.csv"),
            caption="../report/measured.rst",
            category="Tables",
            labels={"table": "measured", "format": "csv"},
        ),
        md=study_path("tables/measured.md"),
        tex=study_path("tables/measured.tex"),
    log:
        study_path("logs/table/measured.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_measured"),
        order=list(config["measured"]),
    script:
        "../scripts/table_measured.py"


# A study that has scans alone is this target; `all` trains networks too.
rule measured:
    input:
        measured(),
