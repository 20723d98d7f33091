SELECT bids.auction, bids.num
FROM (
    SELECT auction, count(*) AS num, starttime, starttime + interval '10 seconds' AS endtime
    FROM (
      SELECT auction, date_bin('2 seconds', date_time, '2000-01-01') - k * interval '2 seconds' AS starttime
      FROM bid, generate_series(0, 4) AS k) hops
    GROUP BY auction, starttime) bids
JOIN (
  SELECT max(num) AS maxn, starttime, endtime
  FROM (
    SELECT auction, count(*) AS num, starttime, starttime + interval '10 seconds' AS endtime
    FROM (
      SELECT auction, date_bin('2 seconds', date_time, '2000-01-01') - k * interval '2 seconds' AS starttime
      FROM bid, generate_series(0, 4) AS k) hops
    GROUP BY auction, starttime) counts
  GROUP BY starttime, endtime) most
ON bids.starttime = most.starttime AND bids.endtime = most.endtime AND bids.num >= most.maxn
