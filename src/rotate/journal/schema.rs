//! The tables. Whatever holds a value holds it sealed.

/// `KeyW`: tells a journal from other databases.
pub(super) const APPLICATION: i64 = 0x4b65_7957;
/// Version of the tables.
pub(super) const VERSION: i64 = 1;

/// The tables of version 1. The partial indexes hold what no code may break: one active rotation a lineage, one
/// version a label, one open intent a rotation.
pub(super) const TABLES: &str = "
CREATE TABLE lineages(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  generation INTEGER NOT NULL
) STRICT;
CREATE TABLE rotations(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  lineage INTEGER NOT NULL REFERENCES lineages(id),
  generation INTEGER NOT NULL,
  phase TEXT NOT NULL,
  planned INTEGER NOT NULL,
  ended INTEGER,
  frozen TEXT NOT NULL,
  frozen_hash TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_active ON rotations(lineage) WHERE ended IS NULL;
CREATE TABLE versions(
  lineage INTEGER NOT NULL REFERENCES lineages(id),
  generation INTEGER NOT NULL,
  key TEXT NOT NULL,
  label TEXT NOT NULL CHECK(label IN ('pending', 'current', 'previous', 'retired')),
  since INTEGER NOT NULL,
  PRIMARY KEY(lineage, generation, key)
) STRICT;
CREATE UNIQUE INDEX one_a_label ON versions(lineage, label) WHERE label <> 'retired';
CREATE TABLE claims(
  store TEXT NOT NULL,
  lineage INTEGER NOT NULL REFERENCES lineages(id),
  PRIMARY KEY(store, lineage)
) STRICT;
CREATE TABLE intents(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rotation INTEGER NOT NULL REFERENCES rotations(id),
  effect TEXT NOT NULL,
  at INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  outcome TEXT,
  ended INTEGER
) STRICT;
CREATE UNIQUE INDEX one_open ON intents(rotation) WHERE ended IS NULL;
CREATE TABLE sealed(
  rotation INTEGER NOT NULL REFERENCES rotations(id),
  step TEXT NOT NULL,
  generation INTEGER NOT NULL,
  key TEXT NOT NULL,
  nonce BLOB NOT NULL,
  text BLOB NOT NULL,
  PRIMARY KEY(rotation, step)
) STRICT;
CREATE TABLE said(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rotation INTEGER NOT NULL REFERENCES rotations(id),
  who TEXT NOT NULL,
  does TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rotation INTEGER NOT NULL REFERENCES rotations(id),
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  at INTEGER NOT NULL,
  sent INTEGER
) STRICT;
CREATE TABLE exports(
  rotation INTEGER NOT NULL REFERENCES rotations(id),
  digest TEXT NOT NULL,
  through INTEGER NOT NULL,
  body BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY(rotation, digest)
) STRICT;
CREATE TABLE emergencies(
  lineage INTEGER NOT NULL REFERENCES lineages(id),
  day INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(lineage, day)
) STRICT;
CREATE TABLE pauses(
  scope TEXT PRIMARY KEY,
  who TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE leases(
  lineage INTEGER PRIMARY KEY REFERENCES lineages(id),
  fence INTEGER NOT NULL,
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  rotation INTEGER NOT NULL,
  body TEXT NOT NULL,
  key TEXT NOT NULL,
  mac TEXT NOT NULL
) STRICT;
";
