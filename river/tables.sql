SELECT pg_advisory_xact_lock(7310589134201);
CREATE TABLE IF NOT EXISTS aplomb_river_seen (
	seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source text COLLATE "C" NOT NULL,
	key text COLLATE "C" NOT NULL,
	first boolean NOT NULL, -- false: in conflict with the first
	via text NOT NULL,
	digest bytea NOT NULL,
	job bigint NOT NULL DEFAULT 0,
	received timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX IF NOT EXISTS aplomb_river_first ON aplomb_river_seen (source, key) WHERE first;
CREATE UNIQUE INDEX IF NOT EXISTS aplomb_river_others ON aplomb_river_seen (source, key, digest) WHERE NOT first;
CREATE INDEX IF NOT EXISTS aplomb_river_received ON aplomb_river_seen (received);
