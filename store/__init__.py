"""The only SQL: schema, engine, writer, and the queries of inbox, events, jobs and shop."""
