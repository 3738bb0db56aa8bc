"""Links: our ids and theirs, as a connector's calls read them."""

from sqlalchemy import select

from hub.errors import Reject
from store.schema import links
from store.store import Store


class StoredLinks:
    """The links of one connector, read as they are now."""

    def __init__(self, store: Store, connector: str) -> None:
        self.store, self.connector = store, connector

    async def get(self, kind: str, our_id: str) -> str:
        """Give their id.

        Raises:
            Reject: None is stored: what makes it has not run, or not in this lane.
        """
        wanted = select(links.c.their_id).where(
            links.c.connector == self.connector, links.c.kind == kind, links.c.our_id == our_id
        )
        async with self.store.read() as connection:
            found = (await connection.execute(wanted)).scalar()
        if found is None:
            raise Reject(f"no link: {kind} {our_id}")
        return str(found)
