-- transaction: false
-- breaking: false
-- What the workers ask for, over and over: the oldest document that nobody has read yet.
create index concurrently documents_waiting_index on documents (created_at) where status = 'received';
