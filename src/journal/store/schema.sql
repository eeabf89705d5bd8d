-- Version 1 of the journal. Forward only: a later version adds, and never changes what stands here.

create table meta (
  key   text primary key,
  value text not null
) strict;

-- The one log. `line` is canonical JSON; all other columns repeat what it says, so that it can be found.
create table entries (
  seq  integer primary key,
  hash text not null,
  run  integer,
  nth  integer,
  kind text not null,
  line text not null,
  unique (run, nth)
) strict;

create index entries_by_kind on entries (kind, seq);

-- One row a run, to find the open ones without reading history. `version` is the number of its events.
create table runs (
  id      integer primary key,
  version integer not null,
  open    integer not null
) strict;

-- Exclusive claims. They repeat what the events say, and `verify` compares both.
create table holds (
  resource text primary key,
  run      integer not null,
  token    integer not null,
  since    text not null
) strict;

-- The last fencing token of each resource: it only grows.
create table tokens (
  resource text primary key,
  token    integer not null
) strict;

-- The files that plans were made from, by their SHA-256.
create table blobs (
  sha256  text primary key,
  content text not null
) strict;

-- What commands printed, head and tail, outside of the chain: it may expire without breaking it.
create table outputs (
  run     integer not null,
  number  integer not null,
  lane    text not null,
  attempt integer not null,
  undo    integer not null,
  stream  text not null,
  head    blob not null,
  tail    blob not null,
  bytes   integer not null,
  sha256  text not null,
  primary key (run, number, lane, attempt, undo, stream)
) strict;
