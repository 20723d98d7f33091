CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email varchar(80), created timestamptz);
CREATE TABLE orders (id int PRIMARY KEY, user_id int, total numeric(10,2), tags text[], meta jsonb);
CREATE TABLE pd_t (a bigint);
CREATE TABLE dbt_s.sd (x int, y text);
CREATE VIEW dbt_s.a AS SELECT 1 AS id;
CREATE VIEW v AS SELECT id FROM users;
