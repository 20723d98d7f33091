SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b
JOIN (
  SELECT max(price) AS maxprice, window_end
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end) b1
ON b.price = b1.maxprice
WHERE b.date_time BETWEEN b1.window_end - interval '10 seconds' AND b1.window_end
