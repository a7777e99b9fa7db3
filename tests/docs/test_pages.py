"""Pages written by hand say what is so: names, stages, routes, links, versions."""

import configparser
import re

import pytest

import pipeline
from pipeline.http.deps import Route
from pipeline.http.routes import ROUTES
from pipeline.http.schema import MetadataBody, OptionsBody, ProcessingOptionsBody, SubmitBody
from pipeline.ports import StageWork
from stages.route import ROUTE
from tests.docs.pages import ROOT, anchors, inline_code, links, page, page_names, sections

DECISIONS = sorted(path.name for path in (ROOT / "docs/decisions").iterdir())


# ---------------------------------------------------------------------------------------------
# All pages
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", page_names())
def test_links_resolve(name: str) -> None:
    """Every link to a file leads to one that is there, and every link to a heading to one of its headings."""
    broken = []
    for link in links(page(name)):
        path, _, anchor = link.partition("#")
        if path.startswith("https://"):
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert [] == broken


def test_version() -> None:
    """The newest version in the changelog is that of the package; what is not released yet stands above it."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert "attr: pipeline.__version__" == setup["metadata"]["version"]
    headings = [heading for heading in sections(page("CHANGELOG.md")) if heading != "Unreleased"]
    assert pipeline.__version__ == headings[0]


# ---------------------------------------------------------------------------------------------
# docs/stages.md
# ---------------------------------------------------------------------------------------------


def test_stages_page_has_every_stage() -> None:
    """docs/stages.md has the stages of the route, in their order, and nothing else."""
    assert [type(stage).__name__ for stage in ROUTE] == list(sections(page("docs/stages.md")))


@pytest.mark.parametrize("stage", ROUTE, ids=lambda stage: stage.makes)
def test_stage_has_one_paragraph(stage: StageWork) -> None:
    """Each stage has one paragraph, which begins with its file, lane, name and product."""
    (paragraph,) = sections(page("docs/stages.md"))[type(stage).__name__].strip().split("\n\n")
    file = type(stage).__module__.replace(".", "/") + ".py"
    facts = f"`{file}`, lane {stage.lane.name}, shown as `{stage.name}`, makes `{stage.makes}`."
    assert facts == paragraph.replace("\n", " ")[: len(facts)]


# ---------------------------------------------------------------------------------------------
# docs/api.md
# ---------------------------------------------------------------------------------------------


def routes_described() -> dict[str, str]:
    """The sections of docs/api.md that are about a route, by its method and path."""
    found = sections(page("docs/api.md"))
    return {heading.strip("`"): text for heading, text in found.items() if heading.startswith("`")}


def test_api_page_has_every_route() -> None:
    """docs/api.md has the routes of the table, in their order, and nothing else."""
    assert [f"{route.method} {route.path}" for route in ROUTES] == list(routes_described())


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_route_is_described(route: Route) -> None:
    """The section of a route names its query parameters, and says whether it needs no token."""
    text = routes_described()[f"{route.method} {route.path}"]
    assert (route.query or frozenset()) <= set(inline_code(text))
    assert route.public == ("Needs no token" in text)


def test_fields_of_a_submission() -> None:
    """The table of POST /api/transcribe has the fields that the body may hold, and nothing else."""
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (.*?) \| .*\|$", routes_described()["POST /api/transcribe"], re.MULTILINE)
    fields = [field for names, _ in rows for field in re.findall(r"`(\w+)`", names)]
    assert sorted(SubmitBody.model_fields) == sorted(fields)
    values = dict(rows)
    for name, body in (
        ("options", OptionsBody),
        ("processing_options", ProcessingOptionsBody),
        ("metadata", MetadataBody),
    ):
        assert list(body.model_fields) == re.findall(r'"(\w+)":', values[f"`{name}`"])


# ---------------------------------------------------------------------------------------------
# docs/decisions/
# ---------------------------------------------------------------------------------------------


def test_decisions_are_numbered() -> None:
    """Each decision has a number of its own."""
    numbers = [name[:4] for name in DECISIONS]
    assert "0001" == numbers[0]
    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize("name", DECISIONS)
def test_decision_has_its_form(name: str) -> None:
    """A decision has its number in its title, a context, the decision and its consequences."""
    text = page(f"docs/decisions/{name}")
    assert f"# {int(name[:4])}. " == re.match(r"# \d+\. ", text)[0]
    assert ["Context", "Decision", "Consequences"] == list(sections(text))
