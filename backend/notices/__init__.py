"""What happened, told to whom it concerns: signed webhooks, revocation notices, reminders."""
