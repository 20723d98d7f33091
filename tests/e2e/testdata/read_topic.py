"""Prints the committed records of a topic, decoded by the schemas in the registry, as a line of JSON each.

Usage: read_topic.py BROKER REGISTRY TOPIC
"""

import datetime
import functools
import io
import json
import struct
import sys
import urllib.request

import fastavro
from confluent_kafka import Consumer, KafkaException, TopicPartition

broker, registry, topic = sys.argv[1:]


@functools.cache
def schema(number):
    with urllib.request.urlopen(f"{registry}/schemas/ids/{number}", timeout=10) as answer:
        return fastavro.parse_schema(json.loads(json.load(answer)["schema"]))


def decode(value):
    magic, number = struct.unpack(">bI", value[:5])
    if magic != 0:
        sys.exit(f"a record begins with {magic}, not with 0")
    rest = io.BytesIO(value[5:])
    row = fastavro.schemaless_reader(rest, schema(number), None)
    if rest.read():
        sys.exit("a record is longer than its schema says")
    return row


def plain(value):
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return value.isoformat()
    return str(value)


consumer = Consumer({
    "bootstrap.servers": broker, "group.id": "reader", "enable.auto.commit": False,
    "auto.offset.reset": "earliest", "isolation.level": "read_committed", "enable.partition.eof": True,
})
metadata = consumer.list_topics(topic, timeout=10).topics[topic]
if metadata.error is not None:
    sys.exit(0)  # not there yet
partitions = [TopicPartition(topic, number, 0) for number in metadata.partitions]
consumer.assign(partitions)
at_end = set()
while len(at_end) < len(partitions):
    message = consumer.poll(10)
    if message is None:
        sys.exit("the broker does not answer")
    if message.error():
        if message.error().name() != "_PARTITION_EOF":
            raise KafkaException(message.error())
        at_end.add(message.partition())
    elif message.value() is not None:
        print(json.dumps(decode(message.value()), default=plain))
consumer.close()
