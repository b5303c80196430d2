"""Records: encrypted, content-addressed, readable only with a live consent."""
