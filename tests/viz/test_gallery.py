"""The gallery: every picture is there, closed, and drawn by the lines beside it."""

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("docs_gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_there_and_closed(gallery):
    files = {gallery.file_of(f).partition("/")[2] for f in gallery.PICTURES + gallery.GUIDES}
    assert {p.name for p in (DOCS / "gallery").iterdir()} == files
    for name in files:
        text = (DOCS / "gallery" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org|purl\.org)", text), name
        if name.endswith(".svg"):
            ET.fromstring(text)
            assert "<script" not in text
            assert len(text) < 150_000


@pytest.mark.parametrize("name", ["batchnorm", "batchnorm_any", "batchnorm_backward", "layernorm"])
def test_pictures_with_given_places_are_the_same_bytes_everywhere(gallery, name):
    drawn = getattr(gallery, name)().svg
    assert drawn == (DOCS / "gallery" / f"{name}.svg").read_text(encoding="utf-8")


def test_the_lines_on_the_page_are_the_lines_that_ran(gallery):
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)[1:]
    assert len(blocks) == len(gallery.PICTURES)
    preamble = re.search(r"```python\n(.*?)```", page, re.S)[1]
    for function, block in zip(gallery.PICTURES, blocks, strict=True):
        if function.__name__ in ("neuron", "batchnorm", "shapes", "repeats"):
            scope = {}
            exec(preamble + block, scope)
            assert scope["picture"].scene == function().scene
