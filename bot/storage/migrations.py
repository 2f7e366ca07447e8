"""The schema, as numbered migrations; a released one is never edited."""

import sqlite3

MIGRATIONS = (
    # 1: jobs, and small facts about this installation
    """
    CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        parent_job_id TEXT,
        requester_id INTEGER NOT NULL,
        guild_id INTEGER,
        channel_id INTEGER NOT NULL,
        status_message_id INTEGER,
        result_message_id INTEGER,
        attachment_url TEXT,
        spoiler INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        negative_prompt TEXT NOT NULL,
        strength REAL NOT NULL,
        guidance_scale REAL NOT NULL,
        num_inference_steps INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        count INTEGER NOT NULL,
        max_pixels INTEGER NOT NULL,
        model TEXT NOT NULL,
        max_result_bytes INTEGER NOT NULL,
        input_sha256 TEXT,
        pictures TEXT NOT NULL DEFAULT '[]',
        seconds REAL,
        failure_kind TEXT,
        failure_reference TEXT,
        failure_data TEXT NOT NULL DEFAULT '{}',
        accepted_at REAL NOT NULL,
        queued_at REAL,
        started_at REAL,
        rendered_at REAL,
        settled_at REAL
    ) STRICT;
    CREATE INDEX jobs_by_state ON jobs (state, job_id);
    CREATE INDEX jobs_by_settled_at ON jobs (settled_at);
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """,
    # 2: what moderators and members have set (values are JSON); ignored further pictures; replies find their job
    """
    CREATE TABLE defaults (
        layer TEXT NOT NULL,
        owner_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (layer, owner_id, name)
    ) STRICT;
    ALTER TABLE jobs ADD COLUMN ignored_pictures INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN request_message_id INTEGER;
    CREATE INDEX jobs_by_result_message ON jobs (result_message_id);
    """,
    # 3: how often and how much the members of a role may request, and what they have requested recently
    """
    CREATE TABLE role_limits (
        guild_id INTEGER NOT NULL,
        role_id INTEGER NOT NULL,
        cooldown_seconds INTEGER,
        daily_budget_seconds INTEGER,
        PRIMARY KEY (guild_id, role_id)
    ) STRICT;
    CREATE INDEX jobs_by_requester ON jobs (requester_id, accepted_at);
    """,
    # 4: moderators' decisions about pictures, words and members; who made them; reports; refusals of remixing
    """
    CREATE TABLE server_policies (
        guild_id INTEGER PRIMARY KEY,
        spoiler_score REAL NOT NULL,
        block_score REAL NOT NULL,
        restricted_spoiler_score REAL NOT NULL,
        restricted_block_score REAL NOT NULL,
        log_channel_id INTEGER
    ) STRICT;
    CREATE TABLE blocked_members (
        guild_id INTEGER NOT NULL,
        member_id INTEGER NOT NULL,
        blocked_at REAL NOT NULL,
        PRIMARY KEY (guild_id, member_id)
    ) STRICT;
    CREATE TABLE blocked_terms (
        guild_id INTEGER NOT NULL,
        term TEXT NOT NULL,
        PRIMARY KEY (guild_id, term)
    ) STRICT;
    CREATE TABLE blocked_pictures (
        guild_id INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        perceptual_hash TEXT,
        added_at REAL NOT NULL,
        PRIMARY KEY (guild_id, sha256)
    ) STRICT;
    CREATE TABLE audit (
        entry_id INTEGER PRIMARY KEY,
        guild_id INTEGER NOT NULL,
        actor_id INTEGER,
        action TEXT NOT NULL,
        member_id INTEGER,
        job_id TEXT,
        detail TEXT NOT NULL,
        happened_at REAL NOT NULL
    ) STRICT;
    CREATE INDEX audit_by_server ON audit (guild_id, entry_id);
    CREATE TABLE reports (
        job_id TEXT NOT NULL,
        member_id INTEGER NOT NULL,
        guild_id INTEGER,
        reported_at REAL NOT NULL,
        PRIMARY KEY (job_id, member_id)
    ) STRICT;
    CREATE TABLE remix_refusals (member_id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE gone_places (place_id INTEGER PRIMARY KEY, gone_at REAL NOT NULL) STRICT;
    """,
    # 5: the interaction by which a sent response is found again, how often the bot died while it ran this job, and
    # whether the status message says how it ended
    """
    ALTER TABLE jobs ADD COLUMN interaction_id INTEGER;
    ALTER TABLE jobs ADD COLUMN unclean_deaths INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN is_end_shown INTEGER NOT NULL DEFAULT 0;
    UPDATE jobs SET is_end_shown = 1 WHERE settled_at IS NOT NULL;
    CREATE INDEX jobs_with_end_to_show ON jobs (is_end_shown) WHERE is_end_shown = 0;
    """,
    # 6: the sampler and the meaning of strength; existing jobs ran with diffusers' own
    """
    ALTER TABLE jobs ADD COLUMN sampler TEXT NOT NULL DEFAULT 'own';
    ALTER TABLE jobs ADD COLUMN strength_schedule TEXT NOT NULL DEFAULT 'index';
    """,
    # 7: the adapter and its weight
    """
    ALTER TABLE jobs ADD COLUMN adapter TEXT NOT NULL DEFAULT '';
    ALTER TABLE jobs ADD COLUMN adapter_weight REAL NOT NULL DEFAULT 0.0;
    """,
    # 8: replies to status messages find their job too, quickly even among many
    "CREATE INDEX jobs_by_status_message ON jobs (status_message_id);",
    # 9: the owner of the picture that a job started from, whose choice also counts when its result is painted over
    """
    ALTER TABLE jobs ADD COLUMN input_owner_id INTEGER;
    CREATE INDEX jobs_by_input_owner ON jobs (input_owner_id) WHERE input_owner_id IS NOT NULL;
    """,
    # 10: whether a role may request at all
    "ALTER TABLE role_limits ADD COLUMN may_ask INTEGER;",
    # 11: the strengths of a ladder, as a JSON list; existing jobs had one strength
    "ALTER TABLE jobs ADD COLUMN strengths TEXT NOT NULL DEFAULT '[]';",
    # 12: what is repainted; until now it was all of a picture
    "ALTER TABLE jobs ADD COLUMN repaint TEXT NOT NULL DEFAULT 'all';",
    # 13: the mask, until it has become the alpha of the stored picture
    "ALTER TABLE jobs ADD COLUMN mask_url TEXT;",
    # 14: the strength for all of a picture that turns out to have no transparent parts
    "ALTER TABLE jobs ADD COLUMN whole_strength REAL;",
)


class DatabaseTooNew(Exception):
    """The database was written by a newer version of this program."""


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the missing migrations, each in a transaction with its number (``PRAGMA user_version``).

    Raises DatabaseTooNew rather than touch a schema from a newer version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise DatabaseTooNew(f"schema {version}, this program knows {len(MIGRATIONS)}")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
