"""The command ``farfield``: what is done by hand beside the workflow."""

import argparse
import sys
from collections.abc import Sequence

# What a command needs is imported when it runs: help and a mistyped word take no time.


def _apply(arguments: argparse.Namespace) -> None:
    from farfield.measured import application

    errors = application.apply(arguments.model, arguments.patterns, arguments.output, arguments.device)
    print(f"wrote {arguments.output}")
    if errors is not None:
        print(
            f"SA-MSE of each of {errors.size} samples relative to predicting zero: "
            f"mean {float(errors.mean()):.4f}, median {float(errors.median()):.4f}"
        )


def _watch(arguments: argparse.Namespace) -> None:
    from farfield.study import watching

    watching.watch(arguments.study, arguments.every)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="farfield", description="Far-field phase retrieval, beside the workflow.")
    commands = parser.add_subparsers(title="commands", dest="command")
    apply = commands.add_parser("apply", help="reconstruct patterns with a trained model")
    apply.add_argument("model", help="a .safetensors file of a training")
    apply.add_argument("patterns", help="intensities (samples, M, M) as .npy, or a .zarr store of the study")
    apply.add_argument("output", help="objects to write, .npy or .zarr")
    apply.add_argument("--device", default="cpu", choices=["cpu", "cuda", "cuda-if-available"])
    apply.set_defaults(run=_apply)
    watch = commands.add_parser("watch", help="redraw a running study's learning curves into figures/progress.png")
    watch.add_argument("study", help="the study's folder, such as results/laptop")
    watch.add_argument("--every", type=float, default=10.0, metavar="SECONDS")
    watch.set_defaults(run=_watch)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; a known mistake ends it in one sentence, and none at all in the help."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.command:
        parser.print_help(sys.stderr)
        sys.exit(2)
    try:
        chosen.run(chosen)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
