"""Carries out CQL statements: `cql.py ADDRESS STATEMENT...`, with the driver's Python."""
from __future__ import annotations

import sys

from cassandra.cluster import Cluster


def main() -> int:
    address, *statements = sys.argv[1:]
    cluster = Cluster([address], connect_timeout=30, max_schema_agreement_wait=60)
    session = cluster.connect()
    for statement in statements:
        result = session.execute_async(statement, timeout=60)
        result.result()
        if not result.is_schema_agreed:
            print(f"the nodes don't agree on the schema after {statement}", file=sys.stderr)
            return 1
    cluster.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
