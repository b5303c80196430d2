"""Recovery of a patient's account by people whom the patient named: see docs/recovery.md."""
