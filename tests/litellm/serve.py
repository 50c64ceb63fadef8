#!/usr/bin/env python3
"""LiteLLM's own proxy on loopback, with a PostgreSQL of its own and a model that answers without a provider.

    tests/litellm/serve.py CONFIG PORT DATABASE KEY…

CONFIG is the proxy's; DATABASE names the database, where the tables are made by the migrations of LiteLLM's package.
Each KEY is a virtual key that is let in. `POST /test/flush` writes the requests so far into the table.

The proxy reaches its database through Prisma, whose engine is a program that no package holds. What of it these
requests need (raw reads, and writing rows of the table of requests) is done with psycopg here; everything else,
from the question to the answer, is the proxy's.
"""

import asyncio
import json
import os
import sys
from datetime import datetime, timezone

config, port, database, *keys = sys.argv[1:]
os.environ.update(CONFIG_FILE_PATH=config, LITELLM_LOCAL_MODEL_COST_MAP="True", DO_NOT_TRACK="1", NO_DOCS="True")

import psycopg
import uvicorn
from litellm.proxy import proxy_server
from litellm.proxy._types import UserAPIKeyAuth, hash_token
from litellm.proxy.utils import PrismaClient, update_spend_logs_job
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb


def shown(value):
    """A value as Prisma's raw reads give it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or timezone.utc).isoformat(timespec="milliseconds")
    return value


class Requests:
    """The table of requests."""

    def __init__(self, connection):
        self.connection = connection

    async def create_many(self, data, skip_duplicates=False):
        made = 0
        for row in data:
            names, cells = list(row), list(row.values())
            # Prisma takes JSON as text; a date with its offset goes into a column without one, in UTC.
            cells = [Jsonb(json.loads(cell)) if name in ("metadata", "request_tags", "messages", "response",
                                                         "proxy_server_request") and isinstance(cell, str) else
                     datetime.fromisoformat(cell).astimezone(timezone.utc).replace(tzinfo=None)
                     if name.endswith("Time") and isinstance(cell, str) else cell for name, cell in zip(names, cells)]
            places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
            columns = ", ".join(f'"{name}"' for name in [*names, "updated_at"])
            done = await self.connection.execute(
                f'INSERT INTO "LiteLLM_SpendLogs" ({columns}) VALUES ({places}, now())'
                + (" ON CONFLICT DO NOTHING" if skip_duplicates else ""), cells)
            made += done.rowcount
        return made


class Database:
    """What of Prisma's client is needed."""

    def __init__(self, connection):
        self.connection = connection
        self.litellm_spendlogs = Requests(connection)

    async def query_raw(self, query, *values):
        found = await self.connection.execute(query, values)
        return [{name: shown(value) for name, value in row.items()} for row in await found.fetchall()]


async def main():
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True, row_factory=dict_row,
                                                       cursor_factory=psycopg.AsyncRawCursor)
    client = PrismaClient.__new__(PrismaClient)
    client.db = Database(connection)
    client.proxy_logging_obj = proxy_server.proxy_logging_obj
    client.baseline_accounting_transactions, client.baseline_accounting_lock = [], asyncio.Lock()

    @proxy_server.app.post("/test/flush")
    async def flush():
        await asyncio.sleep(1)
        await update_spend_logs_job(client, None, proxy_server.proxy_logging_obj)
        return {}

    @proxy_server.app.post("/test/ready")
    async def ready():
        # After the proxy's own start, which would look for Prisma if it knew of a database.
        proxy_server.prisma_client = client
        proxy_server.cost_tracking()
        for key in keys:
            auth = UserAPIKeyAuth(api_key=key, token=hash_token(key), key_name=f"sk-...{key[-4:]}", models=[])
            await proxy_server.user_api_key_cache.async_set_cache(key=hash_token(key), value=auth)
        return {}

    await uvicorn.Server(uvicorn.Config(proxy_server.app, host="127.0.0.1", port=int(port), log_level="warning")).serve()


asyncio.run(main())
