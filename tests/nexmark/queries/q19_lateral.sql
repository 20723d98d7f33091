SELECT best.*
FROM (SELECT DISTINCT auction FROM bid) each,
     LATERAL (SELECT * FROM bid WHERE bid.auction = each.auction ORDER BY price DESC, date_time, extra LIMIT 10) best
