"""What anybody can learn from the chain alone: ``assent ledger``. No store and no service is asked."""
