-- Outside a transaction, as the .up.sql says.
drop index concurrently documents_waiting_index;
