-- The statements of the published pipelines that users come from, in the dialect of 2021 and in today's.
CREATE CONNECTION kafka TO KAFKA (BROKER 'broker:9092', SECURITY PROTOCOL PLAINTEXT);
CREATE CONNECTION csr TO CONFLUENT SCHEMA REGISTRY (URL 'http://schema-registry:8081');
CREATE SOURCE customers FROM KAFKA CONNECTION kafka (TOPIC 'customers.public.customers')
  KEY FORMAT TEXT VALUE FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr ENVELOPE UPSERT;
CREATE SOURCE orders    FROM KAFKA CONNECTION kafka (TOPIC 'my-replica-set.logistics.orders')
  KEY FORMAT TEXT VALUE FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr ENVELOPE UPSERT;
CREATE VIEW customers_by_key AS SELECT id, name, age FROM customers WHERE coalesce(__deleted,'false') = 'false';
CREATE VIEW enriched_orders AS
  SELECT o.order_id, o.price, o.currency, c.id AS customer_id, c.name AS customer_name, c.age AS customer_age, o.ts::timestamp AS ts
  FROM orders o LEFT JOIN customers_by_key c ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW shipped_orders AS
  SELECT o.order_id, s.shipment_id, o.customer_id, o.customer_name, o.customer_age, s.origin, o.price, o.currency
  FROM enriched_orders o JOIN shipments s ON s.order_id = o.order_id
   AND s.ts::timestamp BETWEEN o.ts - INTERVAL '7 days' AND o.ts + INTERVAL '7 days';
CREATE SINK shipped FROM shipped_orders INTO KAFKA CONNECTION kafka (TOPIC 'shipped_orders') KEY (order_id) NOT ENFORCED
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr ENVELOPE UPSERT;
CREATE SOURCE customers FROM KAFKA BROKER 'broker:9092' TOPIC 'customers.public.customers'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE UPSERT FORMAT TEXT;
CREATE SINK shipped FROM shipped_orders INTO KAFKA BROKER 'broker:9092' TOPIC 'shipped_orders' KEY (order_id)
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE UPSERT;
CREATE SECRET kpass AS 'xyz';
CREATE CONNECTION ev TO KAFKA (BROKER 'k:9092', SASL MECHANISMS 'PLAIN', SASL USERNAME 'u', SASL PASSWORD SECRET kpass);
COMMENT ON CONNECTION ev IS 'My new connection';
CREATE SOURCE staging FROM KAFKA CONNECTION ev (TOPIC 'events') FORMAT JSON INCLUDE TIMESTAMP AS commit_time, OFFSET, PARTITION;
CREATE SOURCE staging FROM KAFKA BROKER 'k:9092' TOPIC 'events' WITH (start_offset=0) FORMAT BYTES;
SELECT * FROM staging LIMIT 10;
CREATE MATERIALIZED VIEW transformed AS
  SELECT data->>'name' AS customer, md5(data->>'email') AS email_md5, (data->>'qty')::int * (data->>'price')::numeric AS total, commit_time::date AS partition_date
  FROM staging WHERE data->>'type' = 'order';
SELECT * FROM transformed WHERE mz_now() <= ts + '1 minute';
CREATE SINK out FROM transformed INTO KAFKA CONNECTION ev (TOPIC 'out') FORMAT JSON ENVELOPE UPSERT KEY (customer);
CREATE SOURCE raw FROM KAFKA CONNECTION kafka (TOPIC 'imply-news') KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS sid_key ENVELOPE NONE;
CREATE SOURCE raw FROM KAFKA BROKER 'b:9092' TOPIC 'imply-news' KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS sid_key ENVELOPE NONE;
CREATE MATERIALIZED VIEW clicks_raw AS SELECT sid_key, text AS payload FROM raw WHERE text::jsonb->>'recordType' = 'click';
CREATE SINK clicks FROM clicks_raw INTO KAFKA CONNECTION kafka (TOPIC 'imply-news-clicks', TOPIC PARTITION COUNT 6) KEY (sid_key) NOT ENFORCED
  KEY FORMAT TEXT VALUE FORMAT TEXT ENVELOPE UPSERT;
CREATE OR REPLACE VIEW cooked AS SELECT sid_key, d->>'sid' AS sid, (d->>'timestamp')::float8::bigint AS "timestamp", d->>'recordType' AS "recordType", d->>'url' AS url,
  (d->>'isSubscriber')::int AS "isSubscriber", (d->>'latitude')::float8 AS latitude, (d->>'longitude')::float8 AS longitude, d->>'country_code' AS country_code, d->>'timezone' AS timezone
  FROM (SELECT sid_key, payload::jsonb AS d FROM clicks_raw) x;
CREATE SINK news_de_sink FROM news_de INTO KAFKA CONNECTION kafka (TOPIC 'imply-news-de') FORMAT JSON ENVELOPE DEBEZIUM;
CREATE SOURCE raw_pageviews FROM KAFKA BROKER 'kafka:9092' TOPIC 'pageviews' FORMAT BYTES;
CREATE SOURCE users FROM KAFKA BROKER 'kafka:9092' TOPIC 'mysql.shop.users' FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081' ENVELOPE DEBEZIUM;
CREATE VIEW pageviews AS SELECT (pageview_data->'user_id')::INT as user_id, (pageview_data->'url')::STRING as url, (pageview_data->'channel')::STRING as channel,
    to_timestamp((pageview_data->'received_at')::INT) as ts FROM (SELECT convert_from(data, 'utf8')::jsonb AS pageview_data FROM raw_pageviews);
CREATE MATERIALIZED VIEW pageviews_by_user_segment AS SELECT users.is_vip, pageviews.channel, date_trunc('hour', pageviews.ts) as ts_hour, count(*) as pageview_count
    FROM users JOIN pageviews ON pageviews.user_id = users.id GROUP BY 1,2,3;
SELECT * FROM pageviews_by_user_segment;
CREATE SINK pageviews_by_user_segment_sink FROM pageviews_by_user_segment INTO KAFKA BROKER 'kafka' TOPIC 'pageviews-user-segment-sink' FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY 'http://schema-registry:8081';
COPY (TAIL pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS)) TO STDOUT;
BEGIN; DECLARE c CURSOR FOR TAIL pageviews_by_user_segment; FETCH ALL c WITH (timeout='1s');
TAIL pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS) AS OF 1619461059000;
SUBSCRIBE pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS);
CREATE TABLE t FROM SOURCE s (REFERENCE "pageviews") FORMAT BYTES;
CREATE MATERIALIZED SOURCE s FROM POSTGRES CONNECTION 'host=localhost' PUBLICATION 'p';
CREATE VIEWS FROM SOURCE s;
DROP VIEW pageviews_by_user_segment;
CREATE CONNECTION pg TO POSTGRES (HOST 'localhost', PORT 5432, USER 'postgres', PASSWORD SECRET pgpass, DATABASE 'testdb');
CREATE SOURCE pgsrc FROM POSTGRES CONNECTION pg (PUBLICATION 'mz_source') FOR TABLES (public.users AS users);
CREATE MATERIALIZED SOURCE pgsrc FROM POSTGRES CONNECTION 'host=localhost user=postgres password=postgres dbname=testdb' PUBLICATION 'mz_source';
CREATE VIEWS FROM SOURCE pgsrc (users);
CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR ALL TABLES;
CREATE TABLE users FROM SOURCE pgsrc (REFERENCE public.users);
CREATE MATERIALIZED VIEW enriched AS SELECT jsonb_build_object('action', c.data->>'action', 'timestamp', c.data->>'timestamp', 'user',
   CASE WHEN u.user_id IS NULL THEN NULL ELSE jsonb_build_object('user_id',u.user_id,'last_login',u.last_login::text,'is_active',u.is_active) END) AS out
 FROM clicks c LEFT JOIN users u ON (c.data->>'user_id')::int = u.user_id;
COPY (SUBSCRIBE enriched) TO STDOUT;
SELECT encode(digest('abc', 'sha256'), 'hex'), date_bin('15 minutes', ts, timestamp '2001-01-01'), trunc(1.5);
