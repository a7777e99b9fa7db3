-- The language in which the stored segments of a task were heard; what is heard after a restart is in the same one.
ALTER TABLE task ADD COLUMN heard_language TEXT;
