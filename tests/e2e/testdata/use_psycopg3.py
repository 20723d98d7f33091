"""What an application does through psycopg 3. Usage: use_psycopg3.py HOST PORT"""

import asyncio
import datetime
import decimal
import sys

import psycopg
from psycopg.rows import dict_row

host, port = sys.argv[1:]
dsn = f"host={host} port={port} user=materialize dbname=materialize"

with psycopg.connect(dsn, autocommit=True) as conn:
    made = datetime.datetime(2021, 4, 26, 18, 17, 39, tzinfo=datetime.timezone.utc)
    want = (1, "one", decimal.Decimal("1.50"), made, b"\x00\xff", True)
    for binary in (False, True):
        for _ in range(3):  # prepared from the first on
            cur = conn.execute("SELECT * FROM items WHERE id = %s", (1,), prepare=True, binary=binary)
            assert cur.fetchone() == want, (binary, want)
    print("types, text and binary, prepared")

    with conn.cursor(row_factory=dict_row) as cur:
        cur.executemany("INSERT INTO items (id, name, price) VALUES (%s, %s, %s)", [(n, "many", n) for n in range(10, 15)])
        assert cur.execute("SELECT * FROM totals").fetchall() == [{"n": 7, "total": decimal.Decimal("61.50")}]
        assert cur.execute("DELETE FROM items WHERE name = 'many'").rowcount == 5
    print("write and poll")

    with conn.pipeline():
        answers = [conn.execute("SELECT %s::int8 * 2", (n,)) for n in range(50)]
    assert [a.fetchone()[0] for a in answers] == [n * 2 for n in range(50)]
    print("pipeline")

    with conn.transaction():
        with conn.cursor(name="served") as cur:
            cur.execute("SELECT x FROM generate_series(1, 500) AS s(x) ORDER BY x")
            assert cur.fetchmany(10) == [(n,) for n in range(1, 11)]
            assert len(cur.fetchall()) == 490
    print("server cursor")

    with conn.cursor() as cur:
        with cur.copy("COPY (SELECT id, name FROM items ORDER BY id) TO STDOUT") as copy:
            assert b"".join(copy) == b"1\tone\n2\ttwo\n"
    print("copy")

    try:
        conn.execute("SELECT name + 1 FROM items")
        sys.exit("text + 1 is no error")
    except psycopg.errors.UndefinedFunction as e:
        assert e.sqlstate == "42883" and e.diag.statement_position == "13", (e.sqlstate, e.diag.statement_position)
    print("errors")

    # A subscription streamed row by row; another connection writes meanwhile.
    with psycopg.connect(dsn, autocommit=True) as other, conn.cursor() as cur:
        seen = []
        for row in cur.stream("SUBSCRIBE totals"):
            seen.append(row[1:])
            if len(seen) == 1:
                other.execute("INSERT INTO items (id, name, price) VALUES (20, 'twenty', 20)")
            if len(seen) == 3:
                break
        assert seen[0] == (1, 2, decimal.Decimal("1.50")), seen
        assert sorted(seen[1:]) == [(-1, 2, decimal.Decimal("1.50")), (1, 3, decimal.Decimal("21.50"))], seen
        other.execute("DELETE FROM items WHERE id = 20")
    print("subscription")


async def asynchronous():
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        cur = await conn.execute("SELECT n FROM totals")
        assert await cur.fetchone() == (2,)


asyncio.run(asynchronous())
print("async")
