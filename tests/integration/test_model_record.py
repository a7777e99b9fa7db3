"""What is known of the files of models, and what is found when they change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pipeline.engine.model_record import SUMS, ModelRecord
from pipeline.failures import ModelCorrupt

WEIGHTS = b"weights"
REVISION = "1" * 40


@pytest.fixture
def record(tmp_path: Path) -> ModelRecord:
    return ModelRecord(tmp_path / "data")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(WEIGHTS)
    (folder / "config.json").write_text("{}")
    return folder


def sums(model: Path, *names: str) -> None:
    lines = [f"{hashlib.sha256((model / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (model / SUMS).write_text("".join(lines))


def test_a_folder_is_held_to_its_own_sums(record: ModelRecord, model: Path) -> None:
    """Files that its ``SHA256SUMS`` names must have these sums; another may change."""
    sums(model, "model.bin")
    record.check("mine", model)
    (model / "config.json").write_text("{ }")
    record.check("mine", model)
    (model / "model.bin").write_bytes(b"Weights")
    with pytest.raises(ModelCorrupt, match=r"model\.bin has changed"):
        record.check("mine", model)


def test_a_folder_that_says_nothing_of_itself_may_change(record: ModelRecord, model: Path) -> None:
    """Whoever trains a model of his own puts new files into its folder."""
    record.check("mine", model)
    (model / "model.bin").write_bytes(b"better weights")
    record.check("mine", model)


@pytest.mark.parametrize("text", ["nonsense\n", "0123  model.bin\n", f"{'0' * 64}  ../model.bin\n", "\udcff"])
def test_sums_that_cannot_be_read_are_no_sums(record: ModelRecord, model: Path, text: str) -> None:
    """Nobody guesses what was meant."""
    (model / SUMS).write_text(text, errors="surrogateescape")
    with pytest.raises(ModelCorrupt, match=SUMS):
        record.check("mine", model)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"Weights")])
def test_a_model_of_the_hub_stays_what_it_was(record: ModelRecord, model: Path, damage: object) -> None:
    """A file that is gone or another is found, past a restart; the next revision has files of its own."""
    assert record.revision("small") is None
    record.check("small", model, REVISION)
    assert REVISION == record.revision("small")
    damage(model / "model.bin")
    again = ModelRecord(model.parent / "data")
    with pytest.raises(ModelCorrupt, match=r"model\.bin"):
        again.check("small", model, REVISION)
    (model / "model.bin").write_bytes(b"newer weights")
    again.check("small", model, "2" * 40)
    assert "2" * 40 == again.revision("small")


def test_what_lies_under_its_sum_in_the_cache_is_held_to_it(record: ModelRecord, model: Path) -> None:
    """Even a model that nobody has seen before is known to be damaged."""
    blob = model.parent / hashlib.sha256(WEIGHTS).hexdigest()
    (model / "model.bin").rename(blob)
    (model / "model.bin").symlink_to(blob)
    record.check("small", model, REVISION)
    blob.write_bytes(b"Weights")
    with pytest.raises(ModelCorrupt, match=r"model\.bin has changed"):
        record.check("base", model, REVISION)


def test_a_folder_without_weights_is_no_model(record: ModelRecord, model: Path) -> None:
    """Nor is one that is not there, or whose weights cannot be read; the task is told which file."""
    (model / "model.bin").unlink()
    for _ in range(2):
        with pytest.raises(ModelCorrupt, match=str(model / "model.bin")):
            record.check("mine", model)
        (model / "model.bin").mkdir(exist_ok=True)
    with pytest.raises(ModelCorrupt, match="/nowhere"):
        record.check("mine", Path("/nowhere"))


def test_a_file_that_has_not_changed_is_not_read_again(record: ModelRecord, model: Path) -> None:
    """Size and time tell; reading the weights of a large model takes seconds."""
    record.check("small", model, REVISION)
    weights = model / "model.bin"
    before = weights.stat()
    weights.write_bytes(b"Weights")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    record.check("small", model, REVISION)


def test_a_record_that_cannot_be_kept_stops_nobody(model: Path) -> None:
    """Where no folder can be made, models are looked at all the same."""
    sums(model, "model.bin")
    record = ModelRecord(model / "model.bin" / "data")
    record.check("mine", model)
    assert record.revision("mine") is None
