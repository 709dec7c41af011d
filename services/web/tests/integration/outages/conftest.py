"""Web on a PostgreSQL that may be frozen, crashed and overcrowded: one for this folder."""

from collections.abc import Iterator

import pytest
from breakable_postgres import BreakablePostgres
from web_house import prepared


@pytest.fixture(scope="package")
def postgres() -> Iterator[BreakablePostgres]:
    with BreakablePostgres() as server:
        yield server


@pytest.fixture(scope="package")
def house(postgres, servers, process_environment):
    return prepared(process_environment, postgres.database("ochaq_web"), servers.amqp_url())
