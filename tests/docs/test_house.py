"""Rules of the house that import-linter does not know: heavy libraries, import circles, and who never imports whom."""

import graphlib
import subprocess
import sys
from collections import defaultdict

from tests.docs.pages import ROOT
from tests.docs.tree import EVERYTHING, PRODUCT, file_of, imports, source_files

HEAVY = {
    "asyncpg": set(),
    "av": {"stages/_decode_child.py"},
    "celery": set(),
    "ctranslate2": {"pipeline/engine/whisper.py"},
    # Two sides of one library in two programs of children: one runs models, the other fetches them.
    "faster_whisper": {"pipeline/engine/whisper.py", "pipeline/engine/model_fetch.py"},
    "openai": {"pipeline/llm_endpoint.py"},
    "opencc": {"stages/_script.py"},
    "pynvml": {"pipeline/engine/devices.py"},
    "torch": set(),
    "yt_dlp": {"stages/_fetch_child.py"},
}
"""Libraries that are slow to load or large, and the files that wrap them."""
PROGRAMS = {"pipeline/engine/asr_host.py"}
"""Programs that are started as processes of their own, and imported by nobody."""
PARTS = {"pipeline/engine/job.py", "pipeline/engine/recording.py", "pipeline/engine/whisper.py"}
"""Parts of such programs, imported by nothing else."""


def heavy_imports(*, at_start: bool) -> dict[str, set[str]]:
    """Return the files that import each heavy library, in all or only when they themselves are imported."""
    found = defaultdict(set)
    for path in source_files(*PRODUCT):
        for each in imports(path):
            library = each.module.partition(".")[0]
            if library in HEAVY and (each.at_start or not at_start):
                found[library].add(path)
    return dict(found)


def test_heavy_libraries_are_wrapped() -> None:
    """Only the file that wraps a heavy library imports it."""
    assert {library: files for library, files in HEAVY.items() if files} == heavy_imports(at_start=False)


def test_heavy_libraries_are_imported_late() -> None:
    """Only parts of programs that run as processes of their own import a heavy library at their top."""
    assert {} == {library: files - PARTS for library, files in heavy_imports(at_start=True).items() if files - PARTS}


def test_programs_are_imported_by_nobody() -> None:
    """No file of the product imports a program or a part of one, so that its libraries are not loaded by the way."""
    programs = {path.removesuffix(".py").replace("/", ".") for path in PROGRAMS | PARTS}
    others = [path for path in source_files(*PRODUCT) if path not in PROGRAMS | PARTS]
    assert [] == [path for path in others if programs & {each.module for each in imports(path)}]


def test_daemon_loads_no_heavy_library() -> None:
    """A process that has imported everything the daemon consists of has loaded no heavy library."""
    program = f"import sys, daemon; print(sorted({set(HEAVY)} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_command_line_is_light() -> None:
    """A process that only shows the help has loaded none of what the daemon consists of."""
    program = (
        "import sys, run_daemon; print(sorted({'aiohttp', 'asyncio', 'pydantic', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_no_import_circle() -> None:
    """No file imports, over however many others, itself; imports for types count as well."""
    graph = {path: {file_of(each.module) for each in imports(path)} - {None} for path in source_files(*EVERYTHING)}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(graph) == set(order)


def test_product_imports_no_tests() -> None:
    """Neither house nor stages need tests, benchmarks, tools or examples."""
    beside = set(EVERYTHING) - set(PRODUCT)
    assert [] == [
        (path, each.module)
        for path in source_files(*PRODUCT)
        for each in imports(path)
        if each.module.partition(".")[0] in beside
    ]
