SELECT bidder, count(*) AS bid_count, min(date_time) AS starttime, max(date_time) + interval '1 second' AS endtime
FROM (
  SELECT bidder, date_time, sum(fresh) OVER (PARTITION BY bidder ORDER BY date_time, extra ROWS UNBOUNDED PRECEDING) AS session
  FROM (
    SELECT bidder, date_time, extra,
           CASE WHEN date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time, extra) < interval '1 second'
                THEN 0 ELSE 1 END AS fresh
    FROM bid) steps) sessions
GROUP BY bidder, session
