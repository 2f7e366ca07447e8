"""The page is complete: every module, element and control call that it refers to exists."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest

from playground.app import PAGE, PHOTOGRAPHS
from playground.client import PlaygroundClient, PlaygroundError, PlaygroundServer

MODULES = sorted((PAGE / "js").glob("*.js"))


async def test_the_page_and_what_it_links_are_served(server: PlaygroundServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(server.address + "/") as response:
            assert response.status == 200
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            html = await response.text()
        links = re.findall(r'(?:href|src)="(/[^"]+)"', html)
        assert len(links) == 3
        for link in links:
            async with session.get(server.address + link) as response:
                assert response.status == 200, link


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
async def test_modules_are_served_as_scripts_and_import_what_exists(server: PlaygroundServer, module: Path) -> None:
    name = module.name
    async with aiohttp.ClientSession() as session, session.get(f"{server.address}/page/js/{name}") as response:
        assert response.content_type in ("text/javascript", "application/javascript")
        source = await response.text()
    for names, target in re.findall(r'import \{([^}]+)\} from "\./([\w.]+)"', source):
        exported = (PAGE / "js" / target).read_text()
        for imported in names.split(","):
            if imported.strip():
                pattern = rf"export (?:async )?(?:function|const|class) {imported.strip()}\b"
                assert re.search(pattern, exported), f"{name} imports {imported.strip()} from {target}"
    ids = set(re.findall(r'id="([\w-]+)"', (PAGE / "index.html").read_text()))
    made = {"composer-text", "ping"}
    for wanted in re.findall(r'byId\("([\w-]+)"\)', source):
        assert wanted in ids | made, f"{name} looks for #{wanted}"
    assert "innerHTML" not in source


async def test_what_the_page_asks_for_is_answered(playground: PlaygroundClient) -> None:
    sources = "\n".join(module.read_text() for module in MODULES)
    for name in set(re.findall(r'\bask\("(\w+)"', sources)) - {"interaction"}:
        assert await playground.get(name, member="Ada", channel="general")
    for name in set(re.findall(r'\b(?:act|interact|attempt)\("(\w+)"', sources)):
        with pytest.raises(PlaygroundError, match="missing argument"):
            await playground.post(name, {})


async def test_the_pictures_that_the_page_offers_are_served(server: PlaygroundServer) -> None:
    files = re.search(r"FILES = \[([^\]]+)\]", (PAGE / "js" / "samples.js").read_text())
    assert files is not None
    offered = set(re.findall(r'"([^"]+)"', files[1]))
    assert offered == {picture.name for picture in PHOTOGRAPHS.iterdir() if picture.suffix != ".md"}
    async with aiohttp.ClientSession() as session:
        for name in offered:
            async with session.get(f"{server.address}/photographs/{name}") as response:
                assert response.content_type in ("image/jpeg", "image/png")
