SELECT *
FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, extra) AS rank_number
  FROM bid) ranked
WHERE rank_number <= 10
