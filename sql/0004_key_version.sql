-- Every change of who may do what raises the version, also one made by hand; counting uses does not.

CREATE TABLE api_keys_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL
);
INSERT INTO api_keys_version (version) VALUES (1);

CREATE FUNCTION api_keys_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_keys_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER api_keys_changed AFTER INSERT OR DELETE OR TRUNCATE
    OR UPDATE OF id, key_hash, key_prefix, scopes, rate_limit_per_hour, expires_at, is_active, revoked_at
    ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION api_keys_changed();
