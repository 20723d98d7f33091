WITH counts AS (
  SELECT auction, count(*) AS num, window_start, window_end
  FROM hop(bid, date_time, interval '2 seconds', interval '10 seconds')
  GROUP BY auction, window_start, window_end)
SELECT bids.auction, bids.num
FROM counts bids
JOIN (SELECT max(num) AS maxn, window_start, window_end FROM counts GROUP BY window_start, window_end) most
ON bids.window_start = most.window_start AND bids.window_end = most.window_end AND bids.num >= most.maxn
