"""Durable outbox: writes that span stores, each act one document that is its state machine."""
