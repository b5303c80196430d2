"""Runs of studies that go on beside the requests: queued, driven by the service, taken up after a restart."""
