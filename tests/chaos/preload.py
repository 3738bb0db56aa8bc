"""What a hub imports until it serves, imported once before hubs are forked."""

import hub.cli.ground
import hub.cli.serve
import hub.config.loading
import hub.discovery
import hub.serving

hub.discovery.discover("http", ())
hub.discovery.discover("inbound", ())

import aiosqlite  # noqa: E402, F401
import asyncpg  # noqa: E402, F401
import sqlalchemy.dialects.postgresql.asyncpg  # noqa: E402
import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: E402, F401
