"""What the name of a model means: one that is bundled, a folder, or one of the hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.device import Device
from pipeline.engine.models import BUNDLED, local_folder, resolve_auto


def test_a_folder_is_one_by_its_weights_or_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole path is never a name of the hub, whatever is there; other names are, unless they lead to weights."""
    assert BUNDLED["demo"] == local_folder("demo")
    assert Path("/nowhere/whisper") == local_folder("/nowhere/whisper")
    monkeypatch.chdir(tmp_path)
    assert local_folder("Systran/mine") is None
    (tmp_path / "Systran/mine").mkdir(parents=True)
    (tmp_path / "Systran/mine/model.bin").touch()
    assert Path("Systran/mine") == local_folder("Systran/mine")


@pytest.mark.parametrize("name", ["small", "~nobody-is-called-so/model", "m" * 300])
def test_what_is_no_folder_is_a_name_of_the_hub(name: str) -> None:
    """Whether no such folder is there or none can be."""
    assert local_folder(name) is None


@pytest.mark.parametrize(("memory_mb", "model"), [((), "small"), ((4096,), "small"), ((4096, 8192), "large-v3-turbo")])
def test_auto_goes_by_the_largest_card(memory_mb: tuple[int, ...], model: str) -> None:
    """Six GB make it the large model; another name means itself."""
    devices = [Device(f"cuda:{number}", "a card", 3, mb) for number, mb in enumerate(memory_mb)]
    assert model == resolve_auto("auto", devices)
    assert "medium" == resolve_auto("medium", devices)
