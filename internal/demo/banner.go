package demo

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Banner is what to paste into a terminal next, and what to expect: the addresses of the demo stand in the
// statements. sqlAddr and httpAddr are where the server listens.
func Banner(d *Demo, sqlAddr, httpAddr string) string {
	sqlHost, sqlPort, err := net.SplitHostPort(sqlAddr)
	if err != nil {
		sqlHost, sqlPort = sqlAddr, "6875"
	}
	return strings.NewReplacer(
		"{kafka}", d.KafkaAddr(), "{registry}", d.RegistryURL(), "{http}", httpAddr,
		"{sqlhost}", sqlHost, "{sqlport}", sqlPort, "{users}", grouped(d.users), "{views}", grouped(d.opts.Rows),
		"{sum}", sum(d.opts.Rows, d.opts.Rate),
	).Replace(bannerText)
}

const bannerText = `
  SQL       {sqlhost}:{sqlport}
  HTTP      http://{http}   (/livez, /readyz?verbose, /metrics)
  Kafka     {kafka}   topics mysql.shop.users (Debezium, Avro: {users} users), pageviews (JSON: {views})
  Registry  {registry}

1. In another terminal:

psql -U materialize -h {sqlhost} -p {sqlport} materialize

2. Two sources, a view over the JSON, and a join that is kept up to date:

CREATE SOURCE raw_pageviews
  FROM KAFKA BROKER '{kafka}' TOPIC 'pageviews'
  FORMAT BYTES;
CREATE SOURCE users
  FROM KAFKA BROKER '{kafka}' TOPIC 'mysql.shop.users'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry}'
  ENVELOPE DEBEZIUM;
CREATE VIEW pageviews AS
  SELECT (pageview_data->'user_id')::INT AS user_id,
         (pageview_data->'url')::STRING AS url,
         (pageview_data->'channel')::STRING AS channel,
         to_timestamp((pageview_data->'received_at')::INT) AS ts
  FROM (SELECT convert_from(data, 'utf8')::jsonb AS pageview_data FROM raw_pageviews);
CREATE MATERIALIZED VIEW pageviews_by_user_segment AS
  SELECT users.is_vip, pageviews.channel, date_trunc('hour', pageviews.ts) AS ts_hour,
         count(*) AS pageview_count
  FROM users JOIN pageviews ON pageviews.user_id = users.id
  GROUP BY 1, 2, 3;

3. Ask. {sum}

SELECT sum(pageview_count) FROM pageviews_by_user_segment;
SELECT * FROM pageviews_by_user_segment ORDER BY ts_hour DESC, pageview_count DESC LIMIT 10;

4. Watch: each change comes as a retraction (-1) and an insertion (1) at one timestamp. When a user turns VIP,
   all that they looked at moves from is_vip 0 to 1, at once. Ctrl-C ends it.

COPY (TAIL pageviews_by_user_segment WITH (SNAPSHOT=false, PROGRESS)) TO STDOUT;

5. Send it back to Kafka:

CREATE SINK pageviews_by_user_segment_sink
  FROM pageviews_by_user_segment
  INTO KAFKA BROKER '{kafka}' TOPIC 'pageviews-user-segment-sink'
  FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY '{registry}';
`

// sum says what the sum over the view is.
func sum(rows, rate int) string {
	if rate == 0 {
		return fmt.Sprintf("The sum is exactly %s.", grouped(rows))
	}
	return fmt.Sprintf("The sum started at %s and follows %s events a second.", grouped(rows), grouped(rate))
}

// grouped writes a number that is not negative with a comma between thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
