"""An order book over the packaged catalog, whose operator allows four pictures at once."""

from pathlib import Path

import pytest

from bot.model_shelf import ModelShelf
from bot.orders.order_book import OrderBook
from bot.storage.database import Database
from bot.storage.defaults import Defaults
from generation.models.catalog import load_catalog
from generation.settings import PACKAGED_MODELS_FILE


@pytest.fixture
def defaults(database: Database) -> Defaults:
    return Defaults(database)


@pytest.fixture
def orders(defaults: Defaults) -> OrderBook:
    shelf = ModelShelf(load_catalog(PACKAGED_MODELS_FILE), default_model="demo", data_dir=Path("nowhere"))
    return OrderBook(shelf, defaults, {"model": "demo", "max_count": 4})
