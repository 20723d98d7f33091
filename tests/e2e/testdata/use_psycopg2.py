"""What an application does through psycopg2. Usage: use_psycopg2.py HOST PORT"""

import datetime
import decimal
import io
import sys
import threading
import time

import psycopg2
import psycopg2.errors
import psycopg2.extras

host, port = sys.argv[1:]


def connect():
    return psycopg2.connect(host=host, port=port, user="materialize", dbname="materialize")


conn = connect()
conn.autocommit = True
with conn.cursor() as cur:
    cur.execute("SELECT * FROM items WHERE id = %s", (1,))
    row = cur.fetchone()
    made = datetime.datetime(2021, 4, 26, 18, 17, 39, tzinfo=datetime.timezone.utc)
    assert row[:4] == (1, "one", decimal.Decimal("1.50"), made), row
    assert bytes(row[4]) == b"\x00\xff" and row[5] is True, row
    assert [d.name for d in cur.description] == ["id", "name", "price", "made", "data", "ok"]
    print("types")

with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
    for expected in range(3, 6):
        cur.execute("INSERT INTO items (id, name, price) VALUES (%s, %s, %s)", (expected, "it's", decimal.Decimal("0.25")))
        assert cur.rowcount == 1
        cur.execute("SELECT * FROM totals")
        assert cur.fetchall() == [{"n": expected, "total": decimal.Decimal("1.50") + (expected - 2) * decimal.Decimal("0.25")}]
    cur.execute("DELETE FROM items WHERE name = %s", ("it's",))
    assert cur.rowcount == 3
    print("write and poll")

# A cursor on the server, as named cursors make it, in pieces smaller than the answer.
conn.autocommit = False
with conn.cursor(name="named") as cur:
    cur.itersize = 100
    cur.execute("SELECT x FROM generate_series(1, 1000) AS s(x) ORDER BY x")
    assert [r[0] for r in cur] == list(range(1, 1001))
conn.rollback()
print("named cursor")

# A subscription through a cursor: the snapshot, then what another connection writes.
with conn.cursor() as cur:
    cur.execute("DECLARE c CURSOR FOR TAIL totals WITH (SNAPSHOT)")
    cur.execute("FETCH ALL c WITH (timeout='1s')")
    rows = cur.fetchall()
    assert len(rows) == 1 and rows[0][1:] == (1, 2, decimal.Decimal("1.50")), rows
    other = connect()
    other.autocommit = True
    other.cursor().execute("INSERT INTO items (id, name, price) VALUES (9, 'nine', 9)")
    changes, end = [], time.monotonic() + 20
    while len(changes) < 2 and time.monotonic() < end:
        cur.execute("FETCH ALL c WITH (timeout='1s')")
        changes += cur.fetchall()
    assert sorted(r[1:] for r in changes) == [(-1, 2, decimal.Decimal("1.50")), (1, 3, decimal.Decimal("10.50"))], changes
    assert changes[0][0] == changes[1][0], "one change at two times"
    other.cursor().execute("DELETE FROM items WHERE id = 9")
    other.close()
conn.commit()
print("subscription")

# An error ends the transaction; the connection lives on.
try:
    conn.cursor().execute("SELECT * FROM nothing")
    sys.exit("a missing table is no error")
except psycopg2.errors.UndefinedTable as e:
    assert 'relation "nothing" does not exist' in str(e), e
try:
    conn.cursor().execute("SELECT 1")
    sys.exit("a failed transaction goes on")
except psycopg2.errors.InFailedSqlTransaction:
    conn.rollback()
print("errors")

conn.autocommit = True
out = io.StringIO()
conn.cursor().copy_expert("COPY (SELECT id, name, price FROM items ORDER BY id) TO STDOUT", out)
assert out.getvalue() == "1\tone\t1.50\n2\ttwo\t\\N\n", out.getvalue()
print("copy")

# A statement without end, cancelled from another thread.
timer = threading.Timer(0.5, conn.cancel)
timer.start()
try:
    conn.cursor().copy_expert("COPY (TAIL totals) TO STDOUT", io.StringIO())
    sys.exit("a cancelled subscription ends without an error")
except psycopg2.errors.QueryCanceled:
    pass
cur = conn.cursor()
cur.execute("SELECT 1")
assert cur.fetchone() == (1,)
print("cancel")
conn.close()
