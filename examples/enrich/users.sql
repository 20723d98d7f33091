CREATE TABLE users (
  user_id SERIAL PRIMARY KEY,
  first_name TEXT,
  last_name TEXT,
  age INT,
  email TEXT,
  last_login TIMESTAMP,
  is_active BOOLEAN,
  country TEXT,
  preferred_language TEXT,
  subscription_level TEXT,
  marketing_opt_in BOOLEAN);
INSERT INTO users (first_name, last_name, age, email, last_login, is_active, country, preferred_language, subscription_level, marketing_opt_in) VALUES
  ('Alice', 'Smith', 30, 'alice.smith@example.com', '2025-01-15 10:15:00', true, 'USA', 'en', 'premium', true),
  ('Bob', 'Jones', 45, 'bob.jones@example.com', '2025-01-14 09:00:00', true, 'UK', 'en', 'free', false),
  ('Carol', 'Diaz', 28, 'carol.diaz@example.com', '2025-01-16 18:30:00', true, 'Spain', 'es', 'basic', true),
  ('Dan', 'Weber', 52, 'dan.weber@example.com', '2024-12-31 23:59:59', false, 'Germany', 'de', 'free', false),
  ('Eve', 'Martin', 37, 'eve.martin@example.com', '2025-01-10 12:00:00', true, 'France', 'fr', 'premium', false),
  ('Finn', 'Olsen', 23, 'finn.olsen@example.com', NULL, true, 'Norway', 'no', 'free', true),
  ('Grace', 'Kim', 41, 'grace.kim@example.com', '2025-01-17 07:45:00', true, 'Korea', 'ko', 'premium', true),
  ('Hugo', 'Silva', 33, 'hugo.silva@example.com', '2025-01-12 20:10:00', false, 'Brazil', 'pt', 'basic', false),
  ('Iris', 'Novak', 29, 'iris.novak@example.com', '2025-01-13 15:25:00', true, 'Czechia', 'cs', 'free', true),
  ('Jan', 'Visser', 60, 'jan.visser@example.com', '2025-01-11 06:05:00', true, 'Netherlands', 'nl', 'basic', true);
CREATE PUBLICATION mz_source FOR TABLE users;
