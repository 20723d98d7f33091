SELECT DISTINCT ON (a.id) a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra
FROM auction a, bid b
WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
ORDER BY a.id, b.price DESC, b.date_time, b.bidder, b.extra
