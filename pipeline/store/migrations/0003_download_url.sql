-- Where the media lies if the page does not lead to it.

ALTER TABLE task ADD COLUMN download_url TEXT;
