rule table_strategies:
    input:
        scores=scores_of_strategies,
    output:
        csv=report(
            study_path("tables/{name}.csv"),
            caption="../report/strategies.rst",
            category="Tables",
            labels={"table": "{name}", "format": "csv"},
        ),
        md=study_path("tables/{name}.md"),
        tex=study_path("tables/{name}.tex"),
    log:
        study_path("logs/table/{name}.log"),
    wildcard_constraints:
        name="passive|strategies",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_strategies"),
        order=order_of_strategies(),
        published=published_of_strategies,
    script:
        "../scripts/table_strategies.py"


# The paper's question on the study's own crystals; not part of `all` where the config's tables do not name it.
rule strategies:
    input:
        expand(study_path("tables/strategies.{suffix}"), suffix=["csv", "md", "tex"]),


rule table_rings:
    input:
        truth=study_path("data/test.zarr"),
        reconstructions=largest_cells(
            "reconstructions/{network}/{symmetry}/n{samples}/test.zarr", network=config["networks"]
        ),
    output:
        csv=report(
            study_path("tables/rings.csv"),
            caption="../report/rings.rst",
            category="Tables",
            labels={"table": "ring by ring", "format": "csv"},
        ),
        md=study_path("tables/rings.md"),
        tex=study_path("tables/rings.tex"),
    log:
        study_path("logs/table/rings.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_rings"),
        order=order_of_strategies(),
        patterns=min(200, config[source(config)]["test"]),
    script:
        "../scripts/table_rings.py"


rule follow_start:
    input:
        train=study_path("data/train.zarr"),
        validation=study_path("data/validation.zarr"),
        models=models_of_start,
    output:
        study_path("starts/{start}.csv"),
    log:
        study_path("logs/follow_start/{start}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.start),
        gpu=gpus,
    params:
        code=code_with_start("follow_start"),
        sections=sections("train", "validation"),
        settings=runs_of_start,
        start=training_of_curve,
        seeds=config["seeds"],
    script:
        "../scripts/follow_start.py"


rule table_starts:
    input:
        curves=expand(study_path("starts/{start}.csv"), start=starts_compared()),
    output:
        csv=report(
            study_path("tables/starts.csv"),
            caption="../report/starts.rst",
            category="Tables",
            labels={"table": "starts", "format": "csv"},
        ),
        md=study_path("tables/starts.md"),
        tex=study_path("tables/starts.tex"),
    log:
        study_path("logs/table/starts.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_starts"),
        order=starts_compared(),
    script:
        "../scripts/table_starts.py"


rule figure_starts:
    input:
        table=study_path("tables/starts.csv"),
    output:
        pdf=study_path("figures/starts.pdf"),
        png=report(
            study_path("figures/starts.png"),
            caption="../report/starts.rst",
            category="Figures",
            labels={"figure": "starts", "format": "png"},
        ),
    log:
        study_path("logs/figure/starts.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_starts"),
    script:
        "../scripts/figure_starts.py"


rule figure_rings:
    input:
        table=study_path("tables/rings.csv"),
    output:
        pdf=study_path("figures/rings.pdf"),
        png=report(
            study_path("figures/rings.png"),
            caption="../report/rings.rst",
            category="Figures",
            labels={"figure": "ring by ring", "format": "png"},
        ),
    log:
        study_path("logs/figure/rings.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_rings"),
    script:
        "../scripts/figure_rings.py"
