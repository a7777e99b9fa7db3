"""``make model``: the recipe from end to end; ``python -m tools.model --help`` lists its parts."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.engine.device_host import ENVIRONMENT
from tools.model import conversion, evaluation, library, noise, training
from tools.model.plan import CHECK, FULL, Plan
from tools.model.vocabulary import Vocabulary
from tools.model.windows import Composer

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "models" / "demo"
WORK = ROOT / "build" / "model"
CHECKPOINT = "checkpoint.pt"
MOST_DIFFERENCE = 0.02
"""What rounding to 8 bits may change; see ``conversion.difference``."""


def main() -> None:
    """Run what the command line asks for."""
    _settle_environment()
    parser = argparse.ArgumentParser(prog="python -m tools.model", description=__doc__)
    parser.add_argument(
        "what",
        choices=COMMANDS,
        help="make: all of it; evaluate: measure the model in FOLDER; "
        "check: all of it in a minute, to see that it runs",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=BUNDLED, help="of a model (default: the bundled one)")
    arguments = parser.parse_args()
    COMMANDS[arguments.what](arguments.folder)


def _settle_environment() -> None:
    """Start over with the environment that large buffers want, which the C library reads only at start."""
    if not ENVIRONMENT.items() <= os.environ.items():
        program = [sys.executable, "-m", "tools.model", *sys.argv[1:]]
        os.execve(sys.executable, program, os.environ | ENVIRONMENT)  # noqa: S606 - this very program


def _make(_: Path) -> None:
    """Make the model in ``build/model``, and measure it and the bundled one."""
    made = make(FULL, WORK)
    report = "\n\n".join(
        f"## {title}\n\n{_report(folder)}"
        for title, folder in (("The model just made", made), ("The bundled model", BUNDLED))
    )
    (WORK / "report.md").write_text(report + "\n", encoding="utf-8")
    print(f"\n{report}\n\nThe model is in {made.relative_to(ROOT)}; {BUNDLED.relative_to(ROOT)} is as it was.")


def make(plan: Plan, work: Path) -> Path:
    """Go through the recipe in a folder, from where an earlier run was interrupted; returns the model's folder."""
    trainer = _trainer(plan, work)
    training.train(trainer, plan, work / CHECKPOINT)
    conversion.convert(trainer.network, trainer.vocabulary, work / "model")
    return work / "model"


def _trainer(plan: Plan, work: Path) -> training.Trainer:
    """Make or read the library, and everything else that training begins with."""
    print("The library of sentences:")
    parts = library.synthesize(work / "library", plan.parts, plan.sentences)
    vocabulary = Vocabulary()
    sentences = library.read(parts, vocabulary)
    print(f"Training on {sentences.hours:.1f} hours of speech:")
    return training.Trainer(plan, Composer(sentences, noise.noises(), vocabulary), vocabulary, sentences.phonemes)


def _evaluate(folder: Path) -> None:
    """Measure a model."""
    print(_report(folder))


def _report(folder: Path) -> str:
    model = evaluation.load(folder)
    return f"{evaluation.on_held_out_speech(model, FULL.evaluation_s)}\n\n{evaluation.on_examples(model)}"


def _check(_: Path) -> None:
    """Go through the recipe in small, and see that two promises are kept.

    A converted model computes what the network does, but for the rounding of its weights to 8 bits; and a run that is
    interrupted makes the same model as one that is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        made = make(CHECK, work)
        print(evaluation.on_held_out_speech(evaluation.load(made), CHECK.evaluation_s))
        weights = (made / "model.bin").read_bytes()
        trainer = _trainer(CHECK, work)
        for _step in range(CHECK.steps // 2):
            trainer.advance()
        trainer.save(work / CHECKPOINT)
        training.train(trainer, CHECK, work / CHECKPOINT)
        conversion.convert(trainer.network, trainer.vocabulary, made)
        if (made / "model.bin").read_bytes() != weights:
            sys.exit("A run that was interrupted made another model than one that was not.")
        difference = conversion.difference(trainer.network, trainer.vocabulary, made)
        if difference > MOST_DIFFERENCE:
            sys.exit(f"The converted model differs from the network by {difference:.3f}.")
    print(f"\nThe recipe runs; an interrupted run made the same model; conversion changed it by {difference:.4f}.")


COMMANDS: dict[str, Callable[[Path], None]] = {"make": _make, "evaluate": _evaluate, "check": _check}


if __name__ == "__main__":
    main()
