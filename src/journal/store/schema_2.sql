-- Version 2 of the journal: incidents. What stands of version 1 is not touched.

alter table entries add column incident integer;

create unique index entries_of_incident on entries (incident, nth) where incident is not null;

-- One row an incident, as `runs` has one a run.
create table incidents (
  id      integer primary key,
  version integer not null,
  open    integer not null
) strict;
