SELECT bidder, count(*) AS bid_count, date_bin('10 seconds', at, '2000-01-01') AS starttime,
       date_bin('10 seconds', at, '2000-01-01') + interval '10 seconds' AS endtime
FROM bid JOIN arrival ON date_time BETWEEN first_bid AND last_bid
GROUP BY bidder, date_bin('10 seconds', at, '2000-01-01')
