"""What every fault of the matrix stands on: a platform of its own, a ledger of operations, an oracle that judges."""
