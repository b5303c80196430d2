"""Money of studies: escrows, payouts to patients, and the accounts they name for them."""
