SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b
JOIN (
  SELECT max(price) AS maxprice, date_bin('10 seconds', date_time, '2000-01-01') + interval '10 seconds' AS endtime
  FROM bid
  GROUP BY date_bin('10 seconds', date_time, '2000-01-01')) b1
ON b.price = b1.maxprice
WHERE b.date_time BETWEEN b1.endtime - interval '10 seconds' AND b1.endtime
